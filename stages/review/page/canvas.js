// What is drawn point by point: the map, and an image with window and level.

import { COLOURS, dragged, windowed } from "./logic.js";

/**
 * Bytes of the server's map: x, y and the place of the cluster of each image, a column after the other.
 * @param {ArrayBuffer} bytes
 */
export function unpacked(bytes) {
  const all = new Uint16Array(bytes);
  const count = all.length / 3;
  return { x: all.subarray(0, count), y: all.subarray(count, 2 * count), cluster: all.subarray(2 * count), count };
}

/**
 * A colour of the style sheet, as red, green and blue.
 * @param {string} name
 */
function variable(name) {
  return rgb(getComputedStyle(document.documentElement).getPropertyValue(name).trim());
}

/**
 * @param {string} colour as #rgb or #rrggbb
 * @returns {[number, number, number]}
 */
export function rgb(colour) {
  const digits = colour.slice(1);
  const pairs = digits.length === 3 ? [...digits].map((digit) => digit + digit) : (digits.match(/../g) ?? []);
  const [red, green, blue] = pairs.map((pair) => parseInt(pair, 16));
  return [red, green, blue];
}

/**
 * Draws the map: points of named clusters in their category's colour, others grey, the current cluster on top.
 * @param {HTMLCanvasElement} canvas
 * @param {ReturnType<typeof unpacked>} map
 * @param {number[]} category of each cluster's place; -1: none
 * @param {number} current
 */
export function drawMap(canvas, map, category, current) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const side = canvas.width;
  const picture = context.createImageData(side, side);
  const [plain, pick] = [variable("--plot"), variable("--text")];
  const colours = COLOURS.map(rgb);
  const radius = map.count > 40000 ? 0 : map.count > 4000 ? 1 : 2;
  /** @param {number} at @param {number[]} colour @param {number} reach */
  const point = (at, colour, reach) => {
    const x = Math.round((map.x[at] / 65535) * (side - 1));
    const y = Math.round((1 - map.y[at] / 65535) * (side - 1));
    for (let row = Math.max(0, y - reach); row <= Math.min(side - 1, y + reach); row++) {
      for (let column = Math.max(0, x - reach); column <= Math.min(side - 1, x + reach); column++) {
        const to = 4 * (row * side + column);
        picture.data[to] = colour[0];
        picture.data[to + 1] = colour[1];
        picture.data[to + 2] = colour[2];
        picture.data[to + 3] = 255;
      }
    }
  };
  for (let at = 0; at < map.count; at++) {
    const named = category[map.cluster[at]];
    if (map.cluster[at] !== current) point(at, named < 0 ? plain : colours[named % colours.length], radius);
  }
  for (let at = 0; at < map.count; at++) if (map.cluster[at] === current) point(at, pick, radius + 1);
  context.putImageData(picture, 0, 0);
}

/**
 * The cluster's place at a point of the map, in shares of its side from the top left; null where nothing is near.
 * @param {ReturnType<typeof unpacked>} map
 * @param {number} right
 * @param {number} down
 */
export function nearest(map, right, down) {
  let best = 65535 * 0.05;
  let found = null;
  for (let at = 0; at < map.count; at++) {
    const distance = Math.hypot(map.x[at] - right * 65535, map.y[at] - (1 - down) * 65535);
    if (distance < best) [best, found] = [distance, map.cluster[at]];
  }
  return found;
}

/** One image at a time, large: window and level by drag. */
export class Light {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {(window: {low: number, high: number}) => void} told
   */
  constructor(canvas, told) {
    this.canvas = canvas;
    this.told = told;
    this.window = { low: 0, high: 65535 };
    /** @type {{values: Uint16Array, width: number, height: number} | null} */
    this.image = null;
    /** @type {{x: number, y: number, window: {low: number, high: number}} | null} */
    this.drag = null;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.drag = { x: event.clientX, y: event.clientY, window: this.window };
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!this.drag) return;
      const box = canvas.getBoundingClientRect();
      this.window = dragged(this.drag.window, (event.clientX - this.drag.x) / box.width, (event.clientY - this.drag.y) / box.height);
      this.draw();
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { this.drag = null; });
  }

  /**
   * Shows what the server sent: width and height, then the values.
   * @param {ArrayBuffer} bytes
   * @param {[number | null, number | null]} spacing
   */
  show(bytes, spacing) {
    const [width, height] = new Uint32Array(bytes, 0, 2);
    this.image = { values: new Uint16Array(bytes, 8), width, height };
    this.canvas.width = width;
    this.canvas.height = height;
    // Pixels of another height than width.
    const [x, y] = spacing;
    this.canvas.style.aspectRatio = `${width * (x && y ? x : 1)} / ${height * (x && y ? y : 1)}`;
    this.draw();
  }

  reset() {
    this.window = { low: 0, high: 65535 };
    this.draw();
  }

  draw() {
    if (!this.image) return;
    const { values, width, height } = this.image;
    const picture = new ImageData(windowed(values, this.window.low, this.window.high), width, height);
    /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d")).putImageData(picture, 0, 0);
    this.told(this.window);
  }
}
