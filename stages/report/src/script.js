// The page reads without this script. It makes tables sort and the map a place to move in.
"use strict";

/** Sorts a table's rows by a column: numbers as numbers, the largest first; texts by the alphabet. */
function sort(table, column, button) {
  const down = button.dataset.down !== "1";
  table.querySelectorAll("thead button").forEach((other) => { other.dataset.down = ""; other.parentElement.removeAttribute("aria-sort"); });
  button.dataset.down = down ? "1" : "";
  button.parentElement.setAttribute("aria-sort", down ? "descending" : "ascending");
  const value = (row) => row.cells[column].textContent.trim();
  const number = (text) => Number(text.replace(/[,% ]/g, ""));
  const rows = [...table.tBodies[0].rows];
  const numeric = rows.every((row) => value(row) === "–" || !Number.isNaN(number(value(row))));
  const compare = (a, b) => numeric ? (number(value(b)) || 0) - (number(value(a)) || 0) : value(a).localeCompare(value(b));
  rows.sort((a, b) => (down ? 1 : -1) * compare(a, b));
  table.tBodies[0].append(...rows);
}

for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((cell, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = cell.textContent;
    button.addEventListener("click", () => sort(table, column, button));
    cell.replaceChildren(button);
  });
}

const COLOURS = ["#e69f00", "#56b4e9", "#009e73", "#d55e00", "#0072b2", "#cc79a7", "#ccbb28"];
// The same as the four bytes of a pixel: red, green, blue, opaque.
const PACKED = COLOURS.map((colour) => {
  const value = parseInt(colour.slice(1), 16);
  return new Uint32Array(new Uint8Array([value >> 16, value >> 8 & 255, value & 255, 255]).buffer)[0];
});

/** The four columns of points: x, y, cluster, class. */
async function unpack(element) {
  const bytes = Uint8Array.from(atob(element.textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const values = new Uint16Array(await new Response(stream).arrayBuffer());
  const count = Number(element.dataset.count);
  return [0, 1, 2, 3].map((column) => values.subarray(column * count, (column + 1) * count));
}

async function map() {
  const element = document.getElementById("points");
  if (!element || typeof DecompressionStream === "undefined") return;
  const [xs, ys, clusters, classes] = await unpack(element);
  const count = xs.length;
  const numbers = element.dataset.clusters.split(",");
  const names = element.dataset.classes ? element.dataset.classes.split("\u001f") : [];
  const plane = document.querySelector(".plane");
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", plane.querySelector("img").alt + "; the table of clusters says the same in words");
  plane.replaceChildren(canvas);
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  plane.append(tip);
  // Points are written into memory: a call for each of 200,000 costs more than all their pixels.
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const view = { x: 0, y: 0, scale: 1 };
  let by = names.length ? "class" : "cluster";

  // Middles of the clusters, for their numbers.
  const sums = numbers.map(() => [0, 0, 0]);
  for (let i = 0; i < count; i++) { const sum = sums[clusters[i]]; sum[0] += xs[i]; sum[1] += ys[i]; sum[2]++; }

  const place = (i) => {
    const side = canvas.width;
    return [(xs[i] / 65535 - view.x) * side * view.scale, (1 - ys[i] / 65535 - view.y) * side * view.scale];
  };
  // Images without a class look as the last colour.
  const own = (i) => by === "class" ? (classes[i] || COLOURS.length) - 1 : clusters[i];
  // The points of each colour, so that a frame goes over all of them once.
  const parts = new Map();
  function ofColours() {
    if (!parts.has(by)) {
      const lists = COLOURS.map(() => []);
      for (let i = 0; i < count; i++) lists[own(i) % COLOURS.length].push(i);
      parts.set(by, lists.map((list) => Uint32Array.from(list)));
    }
    return parts.get(by);
  }
  let waiting = false;
  function draw() {
    waiting = false;
    const style = getComputedStyle(document.documentElement);
    const side = canvas.width;
    if (!side) return;
    const ratio = side / canvas.clientWidth;
    const wish = Math.max(1, Math.min(7, Math.max(1.2, 260 / Math.sqrt(count)) * Math.sqrt(view.scale))) * ratio;
    const size = Math.max(1, Math.round(wish));
    const [wide, right, up] = [side * view.scale, view.x * side * view.scale, (1 - view.y) * side * view.scale];
    const image = context.createImageData(side, side);
    const pixels = new Uint32Array(image.data.buffer);
    const edge = Math.max(1, Math.round(ratio));
    for (const [colour, list] of ofColours().entries()) {
      for (let k = 0; k < list.length; k++) {
        const i = list[k];
        const left = Math.round(xs[i] / 65535 * wide - right - size / 2);
        const top = Math.round(up - ys[i] / 65535 * wide - size / 2);
        if (left <= -size || top <= -size || left >= side || top >= side) continue;
        const hollow = size > 3 && Math.floor(own(i) / COLOURS.length) % 2;
        const [from, to, last] = [Math.max(0, left), Math.min(side, left + size), Math.min(side, top + size)];
        for (let y = Math.max(0, top); y < last; y++) {
          if (hollow && y >= top + edge && y < top + size - edge) {
            pixels.fill(PACKED[colour], y * side + from, y * side + Math.min(to, left + edge));
            pixels.fill(PACKED[colour], y * side + Math.max(from, left + size - edge), y * side + to);
          } else for (let x = from; x < to; x++) pixels[y * side + x] = PACKED[colour];
        }
      }
    }
    context.putImageData(image, 0, 0);
    context.font = `${12 * ratio}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineWidth = 3 * ratio;
    context.strokeStyle = style.getPropertyValue("--ground");
    context.fillStyle = style.getPropertyValue("--text");
    sums.forEach(([x, y, images], cluster) => {
      if (!images) return;
      const at = [(x / images / 65535 - view.x) * side * view.scale, (1 - y / images / 65535 - view.y) * side * view.scale];
      context.strokeText(numbers[cluster], ...at);
      context.fillText(numbers[cluster], ...at);
    });
  }
  const redraw = () => { if (!waiting) { waiting = true; requestAnimationFrame(draw); } };
  function fit() {
    canvas.width = canvas.height = Math.round(plane.clientWidth * devicePixelRatio);
    redraw();
  }
  new ResizeObserver(fit).observe(plane);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

  function nearest(event) {
    const box = canvas.getBoundingClientRect();
    const ratio = canvas.width / box.width;
    const at = [(event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio];
    let best = -1;
    let least = (12 * ratio) ** 2;
    for (let i = 0; i < count; i++) {
      const [x, y] = place(i);
      const distance = (x - at[0]) ** 2 + (y - at[1]) ** 2;
      if (distance < least) { least = distance; best = i; }
    }
    return best;
  }
  function zoom(factor, x, y) {
    const scale = Math.max(1, Math.min(60, view.scale * factor));
    view.x += x / view.scale - x / scale;
    view.y += y / view.scale - y / scale;
    view.scale = scale;
    keep();
  }
  function keep() {
    view.x = Math.max(0, Math.min(1 - 1 / view.scale, view.x));
    view.y = Math.max(0, Math.min(1 - 1 / view.scale, view.y));
    redraw();
  }
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const box = canvas.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY / 400), (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  }, { passive: false });
  let held = null;
  let dragged = false;
  canvas.addEventListener("pointerdown", (event) => { held = [event.clientX, event.clientY]; dragged = false; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointermove", (event) => {
    if (held) {
      const width = canvas.clientWidth * view.scale;
      const [x, y] = [event.clientX - held[0], event.clientY - held[1]];
      if (Math.abs(x) + Math.abs(y) > 3) dragged = true;
      view.x -= x / width;
      view.y -= y / width;
      held = [event.clientX, event.clientY];
      tip.hidden = true;
      keep();
      return;
    }
    const found = nearest(event);
    tip.hidden = found < 0;
    if (found < 0) return;
    const number = numbers[clusters[found]];
    const words = [`cluster ${number}, ${sums[clusters[found]][2]} images`];
    if (classes[found]) words.push(`this image: ${names[classes[found] - 1]}`);
    const picture = document.querySelector(`#c${number} img`);
    const shown = document.createElement("span");
    if (picture) shown.style.backgroundImage = `url(${picture.src})`;
    tip.replaceChildren(...words.flatMap((text) => [document.createTextNode(text), document.createElement("br")]), shown);
    const box = plane.getBoundingClientRect();
    const [left, top] = [event.clientX - box.left, event.clientY - box.top];
    tip.style.left = `${left > box.width / 2 ? left - tip.offsetWidth - 12 : left + 12}px`;
    tip.style.top = `${top > box.height / 2 ? top - tip.offsetHeight - 12 : top + 12}px`;
  });
  canvas.addEventListener("pointerup", (event) => {
    held = null;
    if (dragged) return;
    const found = nearest(event);
    if (found >= 0) location.hash = `c${numbers[clusters[found]]}`;
  });
  canvas.addEventListener("pointerleave", () => { tip.hidden = true; });

  const controls = document.createElement("div");
  controls.className = "controls";
  const button = (text, act) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    made.addEventListener("click", act);
    controls.append(made);
  };
  button("Zoom in", () => zoom(1.5, 0.5, 0.5));
  button("Zoom out", () => zoom(1 / 1.5, 0.5, 0.5));
  button("Whole map", () => { view.x = view.y = 0; view.scale = 1; redraw(); });
  if (names.length) button("Colour by class or cluster", () => {
    by = by === "class" ? "cluster" : "class";
    const legend = document.querySelector(".legend");
    if (legend) legend.hidden = by !== "class";
    redraw();
  });
  const caption = document.querySelector("figcaption.script");
  caption.textContent = "Wheel: zoom. Drag: move. Click: the cluster's images.";
  caption.after(controls);
  fit();
}

map();
