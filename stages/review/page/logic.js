// What the page decides without a page: keys, order, words, window and level. Pure functions, tested by node --test.

/**
 * @typedef {{number: number, size: number, medoid: number, subjects: number, proposal: Proposal | null, confidence: number | null}} Cluster
 * @typedef {{name: string, share: number, from: string}} Proposal
 * @typedef {{authors: string[], both: number, same: number, kappa: number | null, count: number,
 *   different: {cluster: number | null, image: number | null, names: string[]}[]}} Agreement
 * @typedef {{name: string | null, mark: string | null, author: string | null, carried: number | null, own: number}} Told
 * @typedef {{name: string, clusters: number, images: number}} Category
 * @typedef {{run: string, result: string, images: number, columns: number, map: boolean, clusters: Cluster[]}} Run
 * @typedef {{last: number, author: string, clusters: Told[], categories: Category[], named: number, covered: number, open: number,
 *   minutes: number, undo: string | null, redo: string | null, said?: string, at?: number | null}} State
 * @typedef {{key: string, ctrlKey?: boolean, metaKey?: boolean, altKey?: boolean, shiftKey?: boolean}} Press
 */

/** Every key: how it is shown, what it does, in words, and for which press. */
export const KEYS = /** @type {{shown: string, act: string, says: string, keys: string[]}[]} */ ([
  { shown: "j", act: "next", says: "next cluster", keys: ["j"] },
  { shown: "k", act: "before", says: "cluster before", keys: ["k"] },
  { shown: "space", act: "next-open", says: "next cluster without a name", keys: [" "] },
  { shown: "n Enter", act: "name", says: "name the cluster, or the selected images; Enter takes the name and goes on", keys: ["n", "Enter"] },
  { shown: "1–9", act: "digit", says: "this category, for the cluster or the selected images", keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"] },
  { shown: "g", act: "same", says: "the name of the chosen neighbour", keys: ["g"] },
  { shown: "tab", act: "neighbour", says: "choose the next neighbour", keys: ["Tab"] },
  { shown: "x", act: "junk", says: "junk", keys: ["x"] },
  { shown: "m", act: "mixed", says: "mixed: of several categories; no name", keys: ["m"] },
  { shown: "u", act: "unsure", says: "unsure: for somebody else to say; no name", keys: ["u"] },
  { shown: "s", act: "split", says: "split the cluster into 2 to 6 parts", keys: ["s"] },
  { shown: "o", act: "order", says: "next order of the images", keys: ["o"] },
  { shown: "← ↑ → ↓", act: "move", says: "move among the images; with shift select", keys: ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"] },
  { shown: "PgUp PgDn", act: "page", says: "page of images before, after", keys: ["PageUp", "PageDown"] },
  { shown: "v", act: "select", says: "select the image; a click does so too, with shift a range", keys: ["v", "V"] },
  { shown: "a", act: "select-all", says: "select all images of the page, or none", keys: ["a"] },
  { shown: "f", act: "similar", says: "images most like this one", keys: ["f"] },
  { shown: "i", act: "large", says: "the image large: window and level by drag, slices by wheel", keys: ["i"] },
  { shown: "h", act: "headers", says: "what headers and labels say, with counts", keys: ["h"] },
  { shown: "ctrl z", act: "undo", says: "take the last decision back", keys: [] },
  { shown: "ctrl shift z", act: "redo", says: "do again what was taken back", keys: [] },
  { shown: "/", act: "find", says: "find a cluster by number, name or description", keys: ["/"] },
  { shown: "c", act: "next-step", says: "what to run next: names become categories", keys: ["c"] },
  { shown: "esc", act: "escape", says: "back: out of a box, a selection, similar images", keys: ["Escape"] },
  { shown: "?", act: "help", says: "these keys", keys: ["?"] },
]);

/** Mean confidence of a cluster below which a person should look again, as for an image. */
export const SURE = 0.9;

/** The orders of a sheet, as the server calls them. */
export const ORDERS = ["nearest", "farthest", "random", "unsure", "subject"];

/**
 * What a press of a key asks for; null: nothing of ours. While text is typed, only undo's text of the browser and Escape act.
 * @param {Press} press
 * @param {boolean} typing
 * @returns {string | null}
 */
export function actOf(press, typing) {
  const control = press.ctrlKey || press.metaKey;
  if (typing) return press.key === "Escape" ? "escape" : null;
  if (control && !press.altKey && press.key.toLowerCase() === "z") return press.shiftKey ? "redo" : "undo";
  if (control && !press.altKey && press.key.toLowerCase() === "y") return "redo";
  if (control || press.altKey) return null;
  if (press.key === "Tab" && press.shiftKey) return null;
  return KEYS.find((one) => one.keys.includes(press.key))?.act ?? null;
}

/**
 * How far the work is, in words.
 * @param {Run} run
 * @param {State} state
 */
export function progress(run, state) {
  const total = run.clusters.length;
  const share = run.images ? state.covered / run.images : 0;
  const left = state.open === 0 ? "all clusters seen" : `about ${duration(state.minutes)} left`;
  return `${grouped(state.named)} of ${grouped(total)} named, ${percent(share)} of the images, ${left}`;
}

/** @param {number} minutes */
export function duration(minutes) {
  if (minutes < 1) return "a minute";
  if (minutes < 90) return `${Math.round(minutes)} minute${Math.round(minutes) === 1 ? "" : "s"}`;
  return `${(minutes / 60).toFixed(1)} hours`;
}

/**
 * A share in percent: 100 % is all, 0 % none.
 * @param {number} share
 */
export function percent(share) {
  const whole = Math.round(share * 100);
  if (share > 0 && whole === 0) return "under 1 %";
  if (share < 1 && whole === 100) return "over 99 %";
  return `${whole} %`;
}

/** @param {number} number */
export function grouped(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ",");
}

/**
 * What the server says was done, as a sentence; nothing where it says nothing.
 * @param {string | undefined} said
 */
export function sentence(said) {
  return said ? `${said[0].toUpperCase()}${said.slice(1)}.` : "";
}

/**
 * Places of the clusters that a filter and a searched text leave.
 * @param {Cluster[]} clusters
 * @param {Told[]} told
 * @param {string} filter
 * @param {string} text
 */
export function shown(clusters, told, filter, text) {
  const sought = text.trim().toLowerCase();
  /** @param {Told} one */
  const passes = (one) =>
    filter === "unnamed" ? !one.name && !one.mark
    : filter === "mixed" || filter === "unsure" ? one.mark === filter
    : filter === "carried" ? one.carried !== null
    : true;
  /** @param {number} place */
  const doubt = (place) => clusters[place].confidence ?? 1;
  /** @param {number} place */
  const found = (place) =>
    sought === "" || String(clusters[place].number) === sought ||
    [told[place].name, clusters[place].proposal?.name].some((one) => one?.toLowerCase().includes(sought));
  const places = clusters.map((_, place) => place).filter((place) => passes(told[place]) && found(place));
  return filter === "doubtful" ? places.filter((place) => doubt(place) < SURE) : places;
}

/**
 * How far two people agree, in words.
 * @param {Agreement} pair
 */
export function agreed({ authors: [one, other], both, same, kappa }) {
  const beyond = kappa === null ? "" : `, kappa ${kappa.toFixed(2)}`;
  return `${one} and ${other}: ${grouped(same)} of ${grouped(both)} named by both have the same name (${percent(same / both)}${beyond})`;
}

/**
 * The place `step` further in a list of places; the ends stay. A place that is not in the list is taken to be where it would be.
 * @param {number[]} places
 * @param {number} current
 * @param {number} step
 */
export function further(places, current, step) {
  if (places.length === 0) return current;
  const at = places.indexOf(current);
  if (at < 0) {
    const after = places.findIndex((place) => place > current);
    return step > 0 ? places[after < 0 ? places.length - 1 : after] : places[Math.max(0, (after < 0 ? places.length : after) - 1)];
  }
  return places[Math.min(places.length - 1, Math.max(0, at + step))];
}

/**
 * The next cluster without name and mark after the current one, from the start again at the end; null: there is none.
 * @param {Told[]} told
 * @param {number} current
 */
export function nextOpen(told, current) {
  for (let step = 1; step <= told.length; step++) {
    const place = (current + step) % told.length;
    if (!told[place].name && !told[place].mark) return place;
  }
  return null;
}

/**
 * Where an arrow leads in a grid of `count` cells; the ends stay.
 * @param {number} at
 * @param {string} key
 * @param {number} columns
 * @param {number} count
 */
export function moved(at, key, columns, count) {
  const steps = /** @type {Record<string, number>} */ ({ ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns });
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  const to = at + (steps[key] ?? 0);
  if (to >= 0 && to < count) return to;
  // Down from the last row but one may end behind the last image.
  if (key === "ArrowDown" && Math.floor(at / columns) < Math.floor((count - 1) / columns)) return count - 1;
  return at;
}

/**
 * The whole numbers from one to another, both with.
 * @param {number} one
 * @param {number} other
 */
export function range(one, other) {
  const from = Math.min(one, other);
  return Array.from({ length: Math.abs(one - other) + 1 }, (_, step) => from + step);
}

/**
 * What Enter in the name box means: the typed name, or the proposed one where nothing is typed, and whether it is new.
 * @param {string} typed
 * @param {Proposal | null} proposal
 * @param {Category[]} categories
 */
export function taken(typed, proposal, categories) {
  const name = typed.trim().replace(/\s+/g, " ") === "" ? proposal?.name ?? "" : typed.trim();
  const same = categories.find((one) => one.name === name) ?? categories.find((one) => one.name.toLowerCase() === name.toLowerCase());
  return { name: same?.name ?? name, isNew: name !== "" && !same };
}

/**
 * Why a name is proposed, in words.
 * @param {Proposal | null} proposal
 */
export function because(proposal) {
  if (!proposal) return "Headers and labels propose no name.";
  if (proposal.from === "earlier") return `It was called so before, with ${percent(proposal.share)} of the images`;
  return `${percent(proposal.share)} of the ${proposal.from} say so`;
}

/**
 * Where a tile is in a picture of `count` tiles in rows of `columns`, as CSS.
 * @param {number} place
 * @param {number} count
 * @param {number} columns
 */
export function tile(place, count, columns) {
  const wide = Math.max(1, Math.min(columns, count));
  const high = Math.max(1, Math.ceil(count / wide));
  /** @type {(at: number, of: number) => string} */
  const at = (at, of) => (of > 1 ? `${(at / (of - 1)) * 100}%` : "0%");
  return { size: `${wide * 100}% ${high * 100}%`, position: `${at(place % wide, wide)} ${at(Math.floor(place / wide), high)}` };
}

/**
 * Grey values as what a canvas draws: `low` is black and `high` white.
 * @param {Uint16Array} values
 * @param {number} low
 * @param {number} high
 */
export function windowed(values, low, high) {
  const out = new Uint8ClampedArray(values.length * 4);
  const scale = 255 / Math.max(1, high - low);
  for (let at = 0; at < values.length; at++) {
    const grey = (values[at] - low) * scale;
    out[4 * at] = out[4 * at + 1] = out[4 * at + 2] = grey;
    out[4 * at + 3] = 255;
  }
  return out;
}

/**
 * Window and level after a drag: to the right wider, down darker, as on a viewer's screen.
 * @param {{low: number, high: number}} start
 * @param {number} right in shares of the picture
 * @param {number} down
 */
export function dragged(start, right, down) {
  const width = Math.max(256, (start.high - start.low) * Math.exp(2 * right));
  const level = (start.low + start.high) / 2 + down * 65535;
  return { low: level - width / 2, high: level + width / 2 };
}

/** Colours that people with any colour vision tell apart (Okabe and Ito, 2008), as in the report. */
export const COLOURS = ["#e69f00", "#56b4e9", "#009e73", "#d55e00", "#0072b2", "#cc79a7", "#ccbb28"];

/**
 * The digit of a category by its place; none beyond nine.
 * @param {number} place
 */
export function digit(place) {
  return place < 9 ? String(place + 1) : "";
}
