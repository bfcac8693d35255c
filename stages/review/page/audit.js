// Audit mode: drawn images one by one, and what a person says of them.

import { Light } from "./canvas.js";
import { at, element } from "./view.js";

/** @type {{drawn: {image: number, category: string, answer: string | null}[], categories: string[], file: string}} */
let audit = { drawn: [], categories: [], file: "" };
let place = 0;
/** Each press waits for the one before. */
let queue = Promise.resolve();
const light = new Light(at("light"), () => {});

/** @param {string} text @param {boolean} [wrong] */
function tell(text, wrong = false) {
  at("line").textContent = text;
  at("said").classList.toggle("wrong", wrong);
}

/** @param {string} address @param {RequestInit} [options] */
async function ask(address, options) {
  const answer = await fetch(address, options);
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).error ?? String(answer.status));
  return answer;
}

/** Shows the drawn image at a place. @param {number} to */
async function go(to) {
  place = Math.min(Math.max(to, 0), audit.drawn.length - 1);
  const { image, category, answer } = audit.drawn[place];
  const question = at("question");
  question.replaceChildren(`${place + 1} of ${audit.drawn.length}: is this “`, element("bdi", "", category), "”?");
  if (answer !== null) question.append(" You said: ", element("bdi", "", answer), ".");
  for (const [id, said] of [["yes", "yes"], ["no", "no"]]) at(id).setAttribute("aria-pressed", String(answer === said));
  const answered = audit.drawn.filter((one) => one.answer !== null).length;
  at("bar").value = answered / audit.drawn.length;
  at("told").textContent = `${answered} of ${audit.drawn.length} answered`;
  at("before").disabled = place === 0;
  at("after").disabled = place === audit.drawn.length - 1;
  at("clear").disabled = answer === null;
  if (answered === audit.drawn.length) tell(`All are answered: deepmcat audit RUN certify ${audit.file}`);
  const [told, pixels] = await Promise.all([ask(`/api/image/${image}`), ask(`/api/pixels/${image}`)]);
  light.window = { low: 0, high: 65535 };
  light.show(await pixels.arrayBuffer(), (await told.json()).spacing);
}

/** Keeps an answer and goes on to the next image without one. @param {string | null} said */
async function answer(said) {
  const body = JSON.stringify({ first: audit.drawn[0].image, place, answer: said });
  await ask("/api/audit", { method: "POST", body });
  audit.drawn[place].answer = said;
  tell(said === null ? "Taken back." : `Kept: ${said}.`);
  const open = audit.drawn.findIndex((one, other) => other > place && one.answer === null);
  await go(said === null ? place : open < 0 ? Math.max(audit.drawn.findIndex((one) => one.answer === null), place) : open);
}

/** @param {() => Promise<void>} work */
const act = (work) => { queue = queue.then(work).catch((error) => tell(`That did not work: ${error.message}`, true)); };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const category = audit.categories[Number(event.key) - 1];
  /** @type {Record<string, () => Promise<void>>} */
  const acts = {
    y: () => answer("yes"), n: () => answer("no"), Backspace: () => answer(null),
    ArrowLeft: () => go(place - 1), ArrowRight: () => go(place + 1), r: async () => light.reset(),
  };
  const work = category === undefined ? acts[event.key] : () => answer(category);
  if (!work || !audit.drawn.length) return;
  event.preventDefault();
  act(work);
});
for (const [id, work] of /** @type {[string, () => Promise<void>][]} */ ([
  ["yes", () => answer("yes")], ["no", () => answer("no")], ["clear", () => answer(null)],
  ["before", () => go(place - 1)], ["after", () => go(place + 1)],
])) at(id).addEventListener("click", () => act(work));

act(async () => {
  audit = await (await ask("/api/audit")).json();
  if (!audit.drawn.length) {
    at("told").textContent = "";
    at("question").textContent = "Nothing is drawn yet: deepmcat audit RUN draw, then start review again.";
    document.body.dataset.ready = "1";
    return;
  }
  at("categories").replaceChildren(...audit.categories.map((name, number) => {
    const row = element("li");
    const button = element("button");
    button.type = "button";
    if (number < 9) button.append(element("kbd", "", String(number + 1)), " ");
    button.append(element("bdi", "", name));
    button.addEventListener("click", () => act(() => answer(name)));
    row.append(button);
    return row;
  }));
  await go(Math.max(audit.drawn.findIndex((one) => one.answer === null), 0));
  document.body.dataset.ready = "1";
});
