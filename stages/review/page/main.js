// The page's state, what keys and clicks do to it, and the talk with the server.

import { ORDERS, actOf, further, grouped, moved, nextOpen, range, sentence, shown, taken } from "./logic.js";
import { at, element, fillAgreement, fillEdges, fillHead, fillHeaders, fillNaming, fillNeighbours, fillParts, fillQueue, makeGrid, makeHelp, makeQueue, say, tiles } from "./view.js";
import { Light, drawMap, nearest, unpacked } from "./canvas.js";

/** What is looked at. */
const now = {
  /** @type {import("./logic.js").Run} */ run: /** @type {any} */ (null),
  /** @type {import("./logic.js").State} */ state: /** @type {any} */ (null),
  /** Place of the current cluster. */ place: 0,
  /** @type {number[]} places in the queue */ places: [],
  filter: "all",
  find: "",
  order: "nearest",
  page: 0,
  /** @type {any} */ beside: null,
  /** @type {{images: number[], names: (string | null)[], clusters?: (number | null)[], pages: number, similar?: number}} */
  sheet: { images: [], names: [], pages: 1 },
  focus: 0,
  /** Where a range began. */ anchor: 0,
  /** @type {Set<number>} images */ selected: new Set(),
  neighbour: -1,
  columns: 6,
  /** A new name that Enter makes. */ asked: "",
  parts: 2,
  /** @type {any} */ map: null,
};
/** What stands beside a cluster never changes. @type {Map<number, any>} */
const besides = new Map();
/** Each press waits for the one before, so that none acts on what is no longer there. */
let queue = Promise.resolve();
/** Counts what is shown, so that a late answer does not replace a later one. */
let showing = 0;

/**
 * Asks the server; an answer that is no success is told and thrown.
 * @param {string} address
 * @param {RequestInit} [options]
 */
async function ask(address, options) {
  let answer;
  try {
    answer = await fetch(address, options);
  } catch {
    say("The server does not answer: it has ended. What was told as named is kept; start deepmcat review again.", true);
    throw new Error("no server");
  }
  if (answer.ok) return answer;
  if (answer.status === 403) say("The server is another one than before: use the link that it printed.", true);
  else if (answer.status !== 409) say(`That did not work: ${(await answer.json().catch(() => ({}))).error ?? answer.status}`, true);
  throw Object.assign(new Error(String(answer.status)), { status: answer.status });
}

/** @param {string} address */
const read = async (address) => (await ask(address)).json();

const number = (place = now.place) => now.run.clusters[place].number;

/** Reads a cluster's surroundings and first images before they are asked for. @param {number | null} place */
async function prefetch(place) {
  if (place === null || besides.has(place)) return;
  const [beside, sheet] = await Promise.all([read(`/api/cluster/${number(place)}`), read(`/api/sheet/${number(place)}/nearest/0`)]);
  besides.set(place, beside);
  new Image().src = tiles(now.run.result, 96, sheet.images);
  for (const one of beside.neighbours) new Image().src = tiles(now.run.result, 64, one.images);
}

/** Shows a cluster from its first page. @param {number} place */
async function go(place) {
  now.place = place;
  now.page = 0;
  now.order = "nearest";
  at("order").value = now.order;
  history.replaceState(null, "", `#${number()}`);
  clear();
  await show();
}

/** Drops the selection and what was about the images shown. */
function clear() {
  now.selected = new Set();
  now.focus = now.anchor = 0;
  now.neighbour = -1;
  now.asked = "";
  at("name").value = "";
}

/** Reads and shows what `now` says. @param {boolean} [stay] where it was scrolled to */
async function show(stay = false) {
  const turn = ++showing;
  const place = now.place;
  const [beside, sheet] = await Promise.all([
    besides.get(place) ?? read(`/api/cluster/${number()}`),
    read(`/api/sheet/${number()}/${now.order}/${now.page}`),
  ]);
  besides.set(place, beside);
  if (turn !== showing) return;
  now.beside = beside;
  now.sheet = sheet;
  now.neighbour = now.neighbour < 0 ? 0 : now.neighbour;
  now.focus = Math.min(now.focus, sheet.images.length - 1);
  draw();
  if (!stay) at("scroll").scrollTop = 0;
  prefetch(nextOpen(now.state.clusters, place)).catch(() => {});
}

/** Draws all that a decision or another cluster changes. */
function draw() {
  now.places = shown(now.run.clusters, now.state.clusters, now.filter, now.find);
  fillQueue(now.run, now.state, now.places, now.place);
  fillEdges(now.run, now.state, (name) => act(() => choose(name)));
  fillHead(now.run, now.state, now.place, now.beside);
  fillNeighbours(now.run, now.state, now.beside?.neighbours ?? [], now.neighbour, chooseNeighbour, (other) => act(() => go(placeOf(other))));
  drawGrid();
  paintMap();
}

function drawGrid() {
  const { sheet } = now;
  const active = document.activeElement;
  const had = active === document.body || at("grid").contains(active);
  makeGrid(now.run, sheet, now.columns, now.selected, now.focus);
  if (had && !document.querySelector("dialog[open]")) focusCell(false);
  drawNaming();
  const pages = at("pages");
  pages.hidden = sheet.pages < 2;
  at("page").textContent = `page ${now.page + 1} of ${grouped(sheet.pages)}`;
  if (sheet.similar !== undefined) {
    at("title").replaceChildren(`Images most like image ${sheet.similar}`);
    at("facts").textContent = "esc goes back to the cluster";
  }
}

function drawNaming() {
  fillNaming(now.run.clusters[now.place].proposal, now.selected.size, now.state.clusters[now.place].name);
}

function paintMap() {
  if (!now.map) return;
  const names = new Map(now.state.categories.map((one, place) => [one.name, place]));
  const category = now.state.clusters.map((told) => (told.name ? names.get(told.name) ?? -1 : -1));
  drawMap(at("map"), now.map, category, now.place);
}

/** @param {number} other a cluster's number */
const placeOf = (other) => now.run.clusters.findIndex((one) => one.number === other);

/** Does one thing after the other. @param {() => unknown} job */
function act(job) {
  at("sheet").setAttribute("aria-busy", "true");
  const mine = queue = queue.then(job).then(() => {}, (error) => {
    if (!error?.status && error?.message !== "no server") {
      say(`That did not work: ${error?.message ?? error}`, true);
      console.error(error);
    }
  }).then(() => { if (mine === queue) at("sheet").setAttribute("aria-busy", "false"); });
  return queue;
}

/**
 * Asks for a decision; true when it was taken. A page that has not seen the last one is told anew.
 * @param {object} what
 */
async function decide(what) {
  const author = at("author").value.trim() || now.state.author;
  const body = JSON.stringify({ after: now.state.last, author, do: what });
  try {
    const answer = await ask("/api/decide", { method: "POST", headers: { "content-type": "application/json" }, body });
    now.state = await answer.json();
  } catch (error) {
    if (/** @type {any} */ (error)?.status !== 409) throw error;
    await reload();
    say("Somebody decided meanwhile: this is how it is now. Your key did nothing yet.", true);
    return false;
  }
  const undoes = "undo" in what;
  say(sentence(now.state.said), false, !undoes && now.state.undo !== null);
  return true;
}

/** Reads what was decided elsewhere. */
async function reload() {
  now.state = await read("/api/state");
  if (now.sheet.similar === undefined) await show(true);
  else draw();
}

/** Names of the shown images after a decision about them. */
async function again() {
  if (now.sheet.similar !== undefined) {
    now.sheet = { ...(await read(`/api/similar/${now.sheet.similar}`)), pages: 1, similar: now.sheet.similar };
    draw();
  } else await show(true);
}

/** The next cluster without a name, or a word that there is none. */
async function advance() {
  const next = nextOpen(now.state.clusters, now.place);
  if (next === null) {
    await show();
    say(`${sentence(now.state.said)} Every cluster has a name or a mark: ${grouped(now.state.named)} of ${grouped(now.run.clusters.length)} named. Key c says what to run next.`.trim(), false, Boolean(now.state.said));
    return;
  }
  await go(next);
}

/** True where images are shown that are of many clusters: what is meant has to be selected. */
function ofMany() {
  if (now.sheet.similar === undefined || now.selected.size) return false;
  say("Select the images that are meant; esc goes back to the cluster.", true);
  return true;
}

/** A category for the selected images, else for the cluster. @param {string} name */
async function choose(name) {
  if (ofMany()) return;
  if (now.selected.size) {
    if (await decide({ images: { images: [...now.selected], name } })) {
      now.selected = new Set();
      await again();
    }
    return;
  }
  if (await decide({ name: { clusters: [number()], name } })) await advance();
}

/** @param {"mixed" | "unsure"} mark */
async function marked(mark) {
  if (ofMany()) return;
  if (await decide({ mark: { cluster: number(), mark } })) await advance();
}

/** @param {"undo" | "redo"} way */
async function back(way) {
  if (!now.state[way]) return say(way === "undo" ? "There is nothing to take back." : "Nothing was taken back.");
  if (!(await decide({ [way]: {} }))) return;
  const place = placeOf(now.state.at ?? -1);
  const { said } = now.state;
  if (place >= 0 && place !== now.place) await go(place);
  else await again();
  say(sentence(said));
}

/** @param {number} place */
function chooseNeighbour(place) {
  now.neighbour = place;
  fillNeighbours(now.run, now.state, now.beside?.neighbours ?? [], place, chooseNeighbour, (other) => act(() => go(placeOf(other))));
}

async function same() {
  const neighbour = now.beside?.neighbours[now.neighbour];
  if (!neighbour) return say("There is no other cluster.");
  const { name } = now.state.clusters[placeOf(neighbour.number)];
  if (!name) return say(`Cluster ${neighbour.number} has no name yet.`, true);
  await choose(name);
}

function startNaming() {
  if (ofMany()) return;
  const box = at("name");
  now.asked = "";
  box.value = now.selected.size ? "" : now.state.clusters[now.place].name ?? now.run.clusters[now.place].proposal?.name ?? "";
  box.focus();
  box.select();
}

async function submitName() {
  const has = now.state.clusters[now.place].name;
  const usual = has ? { name: has, share: 1, from: "" } : now.run.clusters[now.place].proposal;
  const { name, isNew } = taken(at("name").value, now.selected.size ? null : usual, now.state.categories);
  if (!name) return say("Type a name first.", true);
  if (isNew && now.asked !== name) {
    now.asked = name;
    const line = at("proposal");
    line.className = "ask";
    line.replaceChildren("New category ", element("bdi", "", `“${name}”`), ": Enter again makes it, esc does not.");
    say(`New category “${name}”: Enter again makes it.`);
    return;
  }
  leaveNaming();
  await choose(name);
}

function leaveNaming() {
  now.asked = "";
  at("name").value = "";
  drawNaming();
  focusCell(false);
}

/** The cell that has the focus of the grid. @param {boolean} scroll */
function focusCell(scroll) {
  const cell = at("grid").querySelector(`[data-place="${now.focus}"]`);
  cell?.focus({ preventScroll: !scroll });
  if (scroll) cell?.scrollIntoView({ block: "nearest" });
}

/** @param {number} to @param {boolean} extend */
function focusOn(to, extend) {
  const cells = at("grid").querySelectorAll(".tile");
  if (cells[now.focus]) cells[now.focus].tabIndex = -1;
  now.focus = to;
  if (cells[to]) cells[to].tabIndex = 0;
  if (extend) {
    for (const place of range(now.anchor, to)) now.selected.add(now.sheet.images[place]);
    drawSelection();
  } else now.anchor = to;
  focusCell(true);
}

function drawSelection() {
  at("grid").querySelectorAll(".tile").forEach((/** @type {HTMLElement} */ cell, /** @type {number} */ place) => {
    cell.setAttribute("aria-selected", String(now.selected.has(now.sheet.images[place])));
  });
  drawNaming();
  say(now.selected.size ? `${now.selected.size} selected.` : "Nothing is selected.");
}

/** @param {number} place */
function toggle(place) {
  const image = now.sheet.images[place];
  if (!now.selected.delete(image)) now.selected.add(image);
  now.anchor = place;
  drawSelection();
}

/** @param {number} step */
async function turn(step) {
  const page = now.page + step;
  if (now.sheet.similar !== undefined || page < 0 || page >= now.sheet.pages) return;
  now.page = page;
  now.selected = new Set();
  now.focus = now.anchor = 0;
  await show();
  focusCell(false);
}

/** @param {string} order */
async function reorder(order) {
  now.order = order;
  now.page = 0;
  now.selected = new Set();
  now.focus = now.anchor = 0;
  at("order").value = order;
  await show();
  say(`Order: ${at("order").selectedOptions[0].textContent}.`);
}

async function similar() {
  const image = now.sheet.images[now.focus];
  say("Looking for similar images …");
  const found = await read(`/api/similar/${image}`);
  showing++;
  now.sheet = { ...found, pages: 1, similar: image };
  now.selected = new Set();
  now.focus = now.anchor = 0;
  draw();
  at("scroll").scrollTop = 0;
  focusCell(false);
  say(`The ${found.images.length} images most like image ${image}, itself first; esc goes back.`);
}

/** @param {number} parts */
async function split(parts) {
  if (ofMany()) return;
  now.parts = parts;
  at("split-title").textContent = `Split cluster ${number()}`;
  at("split-said").textContent = "Splitting …";
  at("split-counts").replaceChildren(...range(2, 6).map((count) => {
    const button = element("button", "", `${count} parts`);
    button.type = "button";
    button.setAttribute("aria-pressed", String(count === parts));
    button.addEventListener("click", () => act(() => split(count)));
    return button;
  }));
  if (!at("split").open) {
    at("split-parts").replaceChildren();
    at("split").showModal();
  }
  const found = await read(`/api/split/${number()}/${parts}`).catch((error) => {
    at("split-said").textContent = at("line").textContent;
    throw error;
  });
  fillParts(now.run, found.parts, (part, name) => act(async () => {
    if (await decide({ part: { cluster: number(), parts, part, name } })) at("split-said").textContent = sentence(now.state.said);
    await again();
  }));
  at("split-said").textContent = `${found.parts.length} parts; keys 2 to 6 make others.`;
}

/** What the server says of the image that is large. */
const large = /** @type {{image: any}} */ ({ image: null });
const light = new Light(at("light"), ({ low, high }) => {
  const { image } = large;
  if (!image) return;
  const raw = (/** @type {number} */ value) => image.low + ((image.high - image.low) * value) / 65535;
  const name = image.name ?? now.state.clusters[placeOf(image.cluster)]?.name;
  const slice = image.slices.length > 1 ? `, slice ${image.slices.indexOf(image.image) + 1} of ${image.slices.length}` : "";
  at("large-told").replaceChildren(
    ...(name ? [element("bdi", "", name), ", "] : []),
    `cluster ${image.cluster ?? "?"}${slice}, ${image.width} × ${image.height}, window ${(raw(high) - raw(low)).toPrecision(4)}, level ${raw((low + high) / 2).toPrecision(4)}`,
    ...(image.header ? [", header: ", element("bdi", "", image.header)] : []),
    ...(image.label ? [", label: ", element("bdi", "", image.label)] : []),
    ...(image.flags ? [`, ${image.flags}`] : []),
  );
});

/** @param {number} image */
async function enlarge(image) {
  const [told, pixels] = await Promise.all([read(`/api/image/${image}`), ask(`/api/pixels/${image}?${now.run.result}`)]);
  large.image = told;
  at("large-title").textContent = `Image ${image}`;
  light.show(await pixels.arrayBuffer(), told.spacing);
  if (!at("large").open) at("large").showModal();
  at("light").focus();
}

/** @param {number} step */
async function slice(step) {
  const { slices, image } = large.image;
  const next = slices[slices.indexOf(image) + step];
  if (next !== undefined) await enlarge(next);
}

/** @param {number} step */
async function beside(step) {
  const to = now.focus + step;
  if (to < 0 || to >= now.sheet.images.length) return;
  focusOn(to, false);
  await enlarge(now.sheet.images[to]);
}

function nextStep() {
  const { run, state } = now;
  const left = state.open;
  at("next-told").textContent = left
    ? `${grouped(left)} cluster${left === 1 ? " has" : "s have"} no name yet; categories can be made from what there is.`
    : "Every cluster was looked at.";
  const path = /^[\w./-]+$/.test(run.run) ? run.run : `'${run.run.replaceAll("'", "'\\''")}'`;
  at("command").textContent = `deepmcat categorize ${path}\ndeepmcat report ${path}`;
  at("export").textContent = `deepmcat names ${path} export names.csv`;
  at("next-step").showModal();
}

async function escape() {
  if (document.activeElement === at("name")) return leaveNaming();
  if (document.activeElement?.matches("input, select")) return focusCell(false);
  if (now.selected.size) {
    now.selected = new Set();
    return drawSelection();
  }
  if (now.sheet.similar !== undefined) {
    clear();
    await show();
    say("Back at the cluster.");
  }
}

/**
 * Does what a key or a button asks for.
 * @param {string} name
 * @param {{key: string, shiftKey?: boolean}} press
 */
function does(name, press) {
  const { focus, columns, sheet } = now;
  const needsImage = () => sheet.images.length > 0;
  /** @type {Record<string, () => unknown>} */
  const acts = {
    next: () => go(further(now.places, now.place, 1)),
    before: () => go(further(now.places, now.place, -1)),
    "next-open": () => { now.state.said = undefined; return advance(); },
    name: startNaming,
    digit: () => {
      const category = now.state.categories[Number(press.key) - 1];
      return category ? choose(category.name) : say(`There is no category ${press.key} yet.`, true);
    },
    same,
    neighbour: () => chooseNeighbour(Math.min((now.beside?.neighbours.length ?? 1) - 1, now.neighbour + 1)),
    junk: () => choose("junk"),
    mixed: () => marked("mixed"),
    unsure: () => marked("unsure"),
    split: () => split(2),
    order: () => reorder(ORDERS[(ORDERS.indexOf(now.order) + 1) % ORDERS.length]),
    move: () => focusOn(moved(focus, press.key, columns, sheet.images.length), press.shiftKey === true),
    page: () => turn(press.key === "PageUp" ? -1 : 1),
    "page-before": () => turn(-1),
    "page-after": () => turn(1),
    select: () => {
      if (!press.shiftKey) return toggle(focus);
      for (const place of range(now.anchor, focus)) now.selected.add(sheet.images[place]);
      return drawSelection();
    },
    "select-all": () => {
      const all = sheet.images.every((image) => now.selected.has(image));
      now.selected = new Set(all ? [] : sheet.images);
      return drawSelection();
    },
    similar: () => needsImage() && similar(),
    large: () => needsImage() && enlarge(sheet.images[focus]),
    headers: () => { fillHeaders(now.beside); at("headers").showModal(); },
    agreement: async () => {
      fillAgreement(await read("/api/agreement"), (cluster) => { at("agreement").close(); act(() => go(placeOf(cluster))); });
      at("agreement").showModal();
    },
    undo: () => back("undo"),
    redo: () => back("redo"),
    find: () => { at("find").focus(); at("find").select(); },
    "next-step": nextStep,
    help: () => at("help").showModal(),
    escape,
  };
  return acts[name]?.();
}

/** Keys of an open dialog; true where the dialog takes the key. @param {KeyboardEvent} event @param {boolean} typing */
function ofDialog(event, typing) {
  const open = document.querySelector("dialog[open]");
  if (!open) return false;
  const { key } = event;
  if (open.id === "large" && !typing) {
    /** @type {Record<string, () => unknown>} */
    const acts = { ArrowUp: () => slice(-1), ArrowDown: () => slice(1), ArrowLeft: () => beside(-1), ArrowRight: () => beside(1), r: () => light.reset(), i: () => at("large").close() };
    if (acts[key]) {
      event.preventDefault();
      act(acts[key]);
    }
  }
  if (open.id === "split" && !typing && /^[2-6]$/.test(key)) act(() => split(Number(key)));
  if (open.id === "help" && key === "?" || open.id === "headers" && key === "h") /** @type {HTMLDialogElement} */ (open).close();
  return true;
}

function listen() {
  document.addEventListener("keydown", (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    const typing = target.matches("input, textarea, select");
    if (event.isComposing || ofDialog(event, typing)) return;
    const name = actOf(event, typing);
    if (!name) return;
    // Buttons and the like keep their own Enter and space.
    if ((event.key === "Enter" || event.key === " ") && target.closest("button, a, summary")) return;
    // After the last neighbour the tab key goes on as everywhere.
    const last = now.neighbour >= (now.beside?.neighbours.length ?? 0) - 1;
    const own = target === document.body || target.closest("#grid");
    if (name === "neighbour" && (last || !own)) return;
    if (name === "move" && target.closest("#clusters")) return;
    event.preventDefault();
    const { key, shiftKey } = event;
    act(() => does(name, { key, shiftKey }));
  });
  document.addEventListener("click", (event) => {
    const button = /** @type {HTMLElement} */ (event.target).closest("[data-act]");
    if (button instanceof HTMLElement) act(() => does(button.dataset.act ?? "", { key: "" }));
  });
  at("undo").addEventListener("click", () => act(() => back("undo")));
  at("redo").addEventListener("click", () => act(() => back("redo")));
  at("take-back").addEventListener("click", () => act(() => back("undo")));
  at("naming").addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    act(submitName);
  });
  at("name").addEventListener("input", () => { now.asked = ""; });
  at("name").addEventListener("blur", () => {
    if (!at("naming").contains(document.activeElement)) drawNaming();
  });
  at("filter").addEventListener("change", () => { now.filter = at("filter").value; draw(); });
  at("find").addEventListener("input", () => { now.find = at("find").value; draw(); });
  at("find").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && now.places.length) act(async () => { await go(now.places[0]); focusCell(false); });
  });
  at("order").addEventListener("change", () => act(async () => { await reorder(at("order").value); focusCell(false); }));
  at("grid").addEventListener("click", (/** @type {MouseEvent} */ event) => {
    const cell = /** @type {HTMLElement} */ (event.target).closest(".tile");
    if (!(cell instanceof HTMLElement)) return;
    const place = Number(cell.dataset.place);
    if (event.shiftKey) focusOn(place, true);
    else {
      focusOn(place, false);
      toggle(place);
    }
  });
  at("grid").addEventListener("dblclick", (/** @type {MouseEvent} */ event) => {
    const cell = /** @type {HTMLElement} */ (event.target).closest(".tile");
    if (cell instanceof HTMLElement) act(() => enlarge(now.sheet.images[Number(cell.dataset.place)]));
  });
  at("light-box").addEventListener("wheel", (/** @type {WheelEvent} */ event) => {
    event.preventDefault();
    act(() => slice(event.deltaY > 0 ? 1 : -1));
  }, { passive: false });
  at("map").addEventListener("click", (/** @type {MouseEvent} */ event) => {
    const box = at("map").getBoundingClientRect();
    const place = now.map && nearest(now.map, (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
    if (place !== null && place !== undefined) act(() => go(place));
  });
  at("author").addEventListener("change", () => {
    try { sessionStorage.setItem("author", at("author").value.trim()); } catch { /* the browser keeps nothing */ }
  });
  new ResizeObserver(() => {
    const wide = parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--tile")) || 84;
    const columns = Math.max(3, Math.floor(at("scroll").clientWidth / (wide + 4)));
    if (columns !== now.columns) {
      now.columns = columns;
      at("clusters").querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
      if (now.state) drawGrid();
    }
  }).observe(at("scroll"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paintMap);
  // Others may decide at the same time: by the command line, in another tab.
  setInterval(() => {
    if (!document.hidden) act(async () => {
      if ((await read("/api/last")).last !== now.state.last) {
        await reload();
        say("Something was decided elsewhere: this is how it is now.");
      }
    });
  }, 5000);
}

async function start() {
  [now.run, now.state] = await Promise.all([read("/api/run"), read("/api/state")]);
  at("run").textContent = now.run.run.split("/").filter(Boolean).pop() ?? now.run.run;
  at("run").title = now.run.run;
  document.title = `Review ${at("run").textContent} – deepmcat`;
  let author = null;
  try { author = sessionStorage.getItem("author"); } catch { /* the browser keeps nothing */ }
  at("author").value = author || now.state.author;
  makeHelp();
  makeQueue(now.run, (place) => act(() => go(place)));
  listen();
  const asked = placeOf(Number(location.hash.slice(1) || -1));
  const open = now.state.clusters.findIndex((told) => !told.name && !told.mark);
  await go(asked >= 0 ? asked : Math.max(0, open));
  focusCell(false);
  if (now.run.map) {
    now.map = unpacked(await (await ask("/api/map")).arrayBuffer());
    paintMap();
  } else {
    at("map").hidden = true;
    at("no-map").hidden = false;
  }
  document.body.dataset.ready = "true";
}

act(start);
