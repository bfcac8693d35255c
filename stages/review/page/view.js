// What is shown, made of elements. Texts of headers and people are set as text alone, never as HTML.

import { COLOURS, KEYS, agreed, because, digit, grouped, percent, progress, tile } from "./logic.js";

/** @typedef {import("./logic.js").Run} Run */
/** @typedef {import("./logic.js").State} State */

/** Share of a cluster's images below which a proposed name comes with a warning, as in the report. */
const AGREED = 0.8;

/**
 * An element of the page by its id.
 * @param {string} id
 * @returns {any}
 */
export const at = (id) => document.getElementById(id);

/**
 * An element with a class and a text.
 * @param {string} kind
 * @param {string} [className]
 * @param {string} [text]
 * @returns {any}
 */
export function element(kind, className = "", text = undefined) {
  const made = document.createElement(kind);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/**
 * The address of a picture of tiles.
 * @param {string} result told to the browser's cache: another result has other images
 * @param {number} side
 * @param {number[]} images
 */
export const tiles = (result, side, images) => `/api/tiles/${side}/${images.join(",")}?${result}`;

/**
 * Shows one tile of a picture as the ground of an element.
 * @param {HTMLElement} of
 * @param {string} address
 * @param {number} place
 * @param {number} count
 * @param {number} columns
 */
export function ground(of, address, place, count, columns) {
  const { size, position } = tile(place, count, columns);
  of.style.backgroundImage = `url("${address}")`;
  of.style.backgroundSize = size;
  of.style.backgroundPosition = position;
}

/**
 * A cluster's name as it is told: name, mark, or "?".
 * @param {import("./logic.js").Told} told
 */
export function called(told) {
  return told.name ?? (told.mark ? `? ${told.mark}` : "?");
}

/**
 * The coloured dot of a category; a ring from the eighth on.
 * @param {number} place -1: none
 */
export function dot(place) {
  const made = element("span", "dot");
  if (place >= 0) {
    const colour = COLOURS[place % COLOURS.length];
    made.style.borderColor = colour;
    made.style.background = Math.floor(place / COLOURS.length) % 2 ? "transparent" : colour;
  } else made.hidden = true;
  return made;
}

/**
 * The queue's rows, made once; `fillQueue` says what changes.
 * @param {Run} run
 * @param {(place: number) => void} go
 */
export function makeQueue(run, go) {
  const list = at("clusters");
  const group = 100;
  run.clusters.forEach((cluster, place) => {
    const button = element("button");
    button.type = "button";
    button.tabIndex = -1;
    const thumb = element("span", "thumb");
    const first = Math.floor(place / group) * group;
    const images = run.clusters.slice(first, first + group).map((one) => one.medoid);
    ground(thumb, tiles(run.result, 48, images), place - first, images.length, run.columns);
    button.append(thumb, element("span", "name foreign"), element("span", "digit"), element("span", "what"));
    button.addEventListener("click", () => go(place));
    const row = element("li");
    row.append(button);
    list.append(row);
  });
}

/**
 * Names, marks and the current row of the queue.
 * @param {Run} run
 * @param {State} state
 * @param {number[]} places those to show
 * @param {number} current
 */
export function fillQueue(run, state, places, current) {
  const visible = new Set(places);
  const rows = at("clusters").children;
  run.clusters.forEach((cluster, place) => {
    const row = rows[place];
    row.hidden = !visible.has(place);
    const told = state.clusters[place];
    const button = row.firstChild;
    button.classList.toggle("open", !told.name);
    const [, name, dotted, what] = button.children;
    name.textContent = called(told);
    dotted.replaceChildren(dot(told.name ? state.categories.findIndex((one) => one.name === told.name) : -1));
    const carried = told.carried === null ? "" : `, carried ${told.carried.toFixed(2)}`;
    const own = told.own ? `, ${grouped(told.own)} by themselves` : "";
    const sure = cluster.confidence === null ? "" : `, ${percent(cluster.confidence)} sure`;
    what.textContent = `${cluster.number} · ${grouped(cluster.size)}${sure}${carried}${own}`;
    const is = place === current;
    if (is) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
    button.tabIndex = is ? 0 : -1;
  });
  at("none").hidden = places.length > 0;
  const row = rows[current];
  if (row && !row.hidden) row.scrollIntoView({ block: "nearest", inline: "nearest" });
}

/**
 * The top line, undo and redo, the categories below.
 * @param {Run} run
 * @param {State} state
 * @param {(name: string) => void} choose
 */
export function fillEdges(run, state, choose) {
  at("told").textContent = progress(run, state);
  at("bar").value = run.images ? state.covered / run.images : 0;
  at("undo").disabled = !state.undo;
  at("undo").title = state.undo ? `Take back: ${state.undo}` : "";
  at("redo").disabled = !state.redo;
  at("redo").title = state.redo ? `Again: ${state.redo}` : "";
  const list = at("categories");
  list.replaceChildren(
    ...state.categories.map((category, place) => {
      const button = element("button");
      button.type = "button";
      button.append(
        ...(digit(place) ? [element("kbd", "", digit(place))] : []),
        dot(place),
        element("bdi", "name", category.name),
        element("span", "what", grouped(category.images)),
      );
      button.title = `${grouped(category.clusters)} clusters, ${grouped(category.images)} images`;
      button.addEventListener("click", () => choose(category.name));
      const row = element("li");
      row.append(button);
      return row;
    }),
  );
  if (state.categories.length === 0) list.append(element("li", "faint", "Categories appear here as you name clusters; digits 1 to 9 give the first nine."));
  at("names").replaceChildren(...state.categories.map((category) => {
    const option = element("option");
    option.value = category.name;
    return option;
  }));
}

/**
 * Head of the sheet: which cluster, its facts, what it might be called.
 * @param {Run} run
 * @param {State} state
 * @param {number} place
 * @param {any} beside
 */
export function fillHead(run, state, place, beside) {
  const cluster = run.clusters[place];
  const told = state.clusters[place];
  at("title").replaceChildren(`Cluster ${cluster.number}: `, element("bdi", "", called(told)));
  at("title").title = called(told);
  const facts = [`${grouped(cluster.size)} image${cluster.size === 1 ? "" : "s"}`];
  if (cluster.subjects) facts.push(`${grouped(cluster.subjects)} subject${cluster.subjects === 1 ? "" : "s"}`);
  if (beside) facts.push(`${grouped(beside.series)} series`);
  if (told.author) facts.push(`by ${told.author}`);
  if (told.carried !== null) facts.push(`carried over, overlap ${told.carried.toFixed(2)}`);
  at("facts").textContent = facts.join(", ");
}

/**
 * The name box while nobody types in it.
 * @param {import("./logic.js").Proposal | null} proposal
 * @param {number} selected images that a name would go to
 * @param {string | null} name that the cluster has
 */
export function fillNaming(proposal, selected, name) {
  at("naming-label").textContent = selected ? `Name of ${grouped(selected)} image${selected === 1 ? "" : "s"}` : "Name";
  at("name").placeholder = (selected ? null : name ?? proposal?.name) ?? "";
  const line = at("proposal");
  line.className = "";
  if (selected) line.textContent = "A digit or a name moves the selected images.";
  else if (!name && proposal && proposal.share < AGREED) {
    line.className = "ask";
    line.textContent = `${because(proposal)}: look before you take it.`;
  } else if (name && proposal && proposal.name !== name) line.replaceChildren("proposed: ", element("bdi", "", proposal.name), `, ${because(proposal)}`);
  else line.textContent = because(proposal);
}

/**
 * The grid of images.
 * @param {Run} run
 * @param {{images: number[], names: (string | null)[], clusters?: (number | null)[]}} sheet
 * @param {number} columns
 * @param {Set<number>} selected
 * @param {number} focus
 */
export function makeGrid(run, sheet, columns, selected, focus) {
  const grid = at("grid");
  grid.style.setProperty("--columns", String(columns));
  const address = tiles(run.result, 96, sheet.images);
  const rows = [];
  for (let start = 0; start < sheet.images.length; start += columns) {
    const row = element("div");
    row.setAttribute("role", "row");
    sheet.images.slice(start, start + columns).forEach((image, step) => {
      const place = start + step;
      const cell = element("div", "tile");
      cell.setAttribute("role", "gridcell");
      cell.dataset.place = String(place);
      cell.tabIndex = place === focus ? 0 : -1;
      ground(cell, address, place, sheet.images.length, run.columns);
      const name = sheet.names[place];
      const cluster = sheet.clusters?.[place];
      const badge = name ?? (cluster === undefined || cluster === null ? null : `cluster ${cluster}`);
      if (badge) cell.append(element("span", "badge foreign", badge));
      cell.setAttribute("aria-label", `Image ${image}${name ? `, ${name}` : ""}`);
      cell.setAttribute("aria-selected", String(selected.has(image)));
      row.append(cell);
    });
    rows.push(row);
  }
  grid.replaceChildren(...rows);
  grid.setAttribute("aria-rowcount", String(rows.length));
}

/**
 * Neighbours with their strips.
 * @param {Run} run
 * @param {State} state
 * @param {any[]} neighbours
 * @param {number} chosen
 * @param {(at: number) => void} choose
 * @param {(number: number) => void} go
 */
export function fillNeighbours(run, state, neighbours, chosen, choose, go) {
  const places = new Map(run.clusters.map((cluster, place) => [cluster.number, place]));
  at("neighbours").replaceChildren(
    ...neighbours.map((one, place) => {
      const told = state.clusters[places.get(one.number) ?? 0];
      const button = element("button");
      button.type = "button";
      button.tabIndex = place === chosen ? 0 : -1;
      button.setAttribute("aria-pressed", String(place === chosen));
      const name = element("span", told.name ? "name foreign" : "name foreign open", called(told));
      const strip = element("img", "strip");
      strip.alt = `${one.images.length} images of cluster ${one.number}`;
      strip.width = 48 * one.images.length;
      strip.height = 48;
      strip.src = tiles(run.result, 64, one.images);
      button.append(name, element("span", "what", `${one.number} · ${one.distance.toFixed(2)}`), strip);
      button.title = "Click: choose it for g. Double click: go there";
      button.addEventListener("click", () => choose(place));
      button.addEventListener("dblclick", () => go(one.number));
      const row = element("li");
      row.append(button);
      return row;
    }),
  );
}

/**
 * What headers and labels say, with counts.
 * @param {any} beside
 */
export function fillHeaders(beside) {
  /** @param {string} title @param {{different: number, first: [string, number][]}} listed */
  const table = (title, listed) => {
    const made = element("table");
    made.append(element("caption", "", `${title}: ${grouped(listed.different)} different`));
    const head = element("tr");
    for (const [name, kind] of [["text", ""], ["images", "number"]]) {
      const cell = element("th", kind, name);
      cell.scope = "col";
      head.append(cell);
    }
    const top = element("thead");
    top.append(head);
    const body = element("tbody");
    for (const [text, count] of listed.first) {
      const row = element("tr");
      const said = element("td");
      said.append(element("bdi", "", text));
      row.append(said, element("td", "number", grouped(count)));
      body.append(row);
    }
    made.append(top, body);
    return made;
  };
  const tables = [];
  if (beside.labels.different) tables.push(table("Labels", beside.labels));
  if (beside.headers.different) tables.push(table("SeriesDescription", beside.headers));
  if (tables.length === 0) tables.push(element("p", "", "Neither headers nor labels say anything of this cluster."));
  at("headers-rows").replaceChildren(...tables);
}

/**
 * How far people agree, and what they call differently.
 * @param {import("./logic.js").Agreement[]} pairs
 * @param {(cluster: number) => void} go
 */
export function fillAgreement(pairs, go) {
  const parts = pairs.flatMap((pair) => {
    const said = element("p", "", agreed(pair));
    if (pair.different.length === 0) return [said];
    const made = element("table");
    const head = element("tr");
    for (const text of ["what", ...pair.authors]) {
      const cell = element("th");
      cell.scope = "col";
      cell.append(element("bdi", "", text));
      head.append(cell);
    }
    const top = element("thead");
    top.append(head);
    const body = element("tbody");
    for (const { cluster, image, names } of pair.different) {
      const row = element("tr");
      const where = element("td");
      const button = element("button", "", image === null ? `cluster ${cluster}` : `image ${image}`);
      button.type = "button";
      button.disabled = cluster === null;
      button.addEventListener("click", () => go(cluster ?? 0));
      where.append(button);
      row.append(where, ...names.map((name) => {
        const cell = element("td");
        cell.append(element("bdi", "", name));
        return cell;
      }));
      body.append(row);
    }
    made.append(top, body);
    const rest = pair.count - pair.different.length;
    return [said, made, ...(rest ? [element("p", "faint", `and ${grouped(rest)} more`)] : [])];
  });
  if (parts.length === 0) parts.push(element("p", "", "No two people have named the same cluster or image. Somebody else enters another name under Author and names clusters too; the same name from a second person counts as agreement."));
  at("agreement-rows").replaceChildren(...parts);
}

/** The list of keys, made once. */
export function makeHelp() {
  at("help-rows").replaceChildren(
    ...KEYS.map((one) => {
      const row = element("tr");
      const keys = element("td");
      keys.append(...one.shown.split(" ").flatMap((key) => [element("kbd", "", key), " "]));
      row.append(keys, element("td", "", one.says));
      return row;
    }),
  );
}

/**
 * The parts of a cluster, each with a name box.
 * @param {Run} run
 * @param {any[]} parts
 * @param {(part: number, name: string) => void} name
 */
export function fillParts(run, parts, name) {
  at("split-parts").replaceChildren(
    ...parts.map((part, place) => {
      const made = element("form", "part");
      const images = element("div", "tiles");
      part.images.forEach((/** @type {number} */ image, /** @type {number} */ step) => {
        const cell = element("span", "tile");
        ground(cell, tiles(run.result, 64, part.images), step, part.images.length, run.columns);
        images.append(cell);
      });
      images.setAttribute("role", "img");
      images.setAttribute("aria-label", `${part.images.length} images of part ${place + 1}`);
      const input = element("input");
      input.setAttribute("list", "names");
      input.maxLength = 200;
      input.dir = "auto";
      input.placeholder = part.proposal?.name ?? "";
      input.setAttribute("aria-label", `Name of part ${place + 1}`);
      const button = element("button", "", `Name these ${grouped(part.size)} images`);
      const row = element("div", "row");
      const why = part.proposal ? `${percent(part.proposal.share)} ` : "";
      const said = element("span", "faint", why);
      if (part.proposal) said.append(element("bdi", "", part.proposal.name));
      row.append(element("strong", "", `Part ${place + 1}: ${grouped(part.size)}`), said, input, button);
      made.append(images, row);
      made.addEventListener("submit", (/** @type {Event} */ event) => {
        event.preventDefault();
        const chosen = input.value.trim() || part.proposal?.name || "";
        if (chosen) name(place, chosen);
      });
      return made;
    }),
  );
}

/**
 * One line that tells what was done, or what is wrong.
 * @param {string} text
 * @param {boolean} [wrong]
 * @param {boolean} [undo] it can be taken back
 */
export function say(text, wrong = false, undo = false) {
  at("line").textContent = text;
  at("line").title = text;
  at("said").classList.toggle("wrong", wrong);
  at("take-back").hidden = !undo;
}
