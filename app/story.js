// The rows of a story. What they hold goes into a text box that nobody sees, which is what is sent.
const words = JSON.parse(element.querySelector("[data-words]").dataset.words);
const list = element.querySelector("ol");
const box = () => document.querySelector("#story-text textarea");
const named = (text, number) => text.replace("{number}", number);
const secondsOf = (index) => (index ? words.moreSeconds : words.firstSeconds);
const newRow = (index) => ({ prompt: "", seconds: secondsOf(index) });
let rows = [newRow(0)];
let sent = "";
const MOST = 250; // more rows than a story may have, so that it is refused, and not more than a page can show

const send = () => {
  sent = JSON.stringify(rows);
  const field = box();
  if (!field || field.value === sent) return;
  field.value = sent;
  field.dispatchEvent(new Event("input", { bubbles: true }));
};
const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
const button = (action, sign, label, number, isOff) => {
  const made = make("button", { type: "button", textContent: sign, title: named(label, number) });
  made.dataset.action = action;
  made.setAttribute("aria-label", made.title);
  if (isOff) made.setAttribute("aria-disabled", "true"); // it keeps the focus
  return made;
};
const rowElement = (row, index) => {
  const item = make("li", { className: "story-line" });
  const prompt = make("textarea", { value: row.prompt, rows: 1, maxLength: 1000, placeholder: words.placeholder });
  prompt.setAttribute("aria-label", named(words.line, index + 1));
  prompt.dataset.field = "prompt";
  const seconds = make("input", { type: "number", value: row.seconds ?? "", min: 0.1, max: 600, step: "any" });
  seconds.setAttribute("aria-label", named(words.secondsLabel, index + 1));
  seconds.dataset.field = "seconds";
  const number = make("span", { className: "story-number", textContent: index + 1, ariaHidden: "true" });
  const unit = make("label", { className: "story-seconds" });
  unit.append(seconds, words.unit);
  const buttons = make("span", { className: "story-buttons" });
  buttons.append(
    button("up", "↑", words.up, index + 1, index === 0),
    button("down", "↓", words.down, index + 1, index === rows.length - 1),
    button("remove", "✕", words.remove, index + 1, rows.length === 1),
  );
  item.append(number, prompt, unit, buttons);
  return item;
};
const fit = (field) => { field.style.height = "auto"; field.style.height = `${field.scrollHeight + 2}px`; };
const render = () => {
  list.replaceChildren(...rows.map(rowElement));
  list.querySelectorAll("textarea").forEach(fit);
};
const focus = (index, selector) => list.children[index]?.querySelector(selector)?.focus();
const read = (text) => {
  try {
    const found = JSON.parse(text);
    return Array.isArray(found) && found.length ? found.slice(0, MOST) : [newRow(0)];
  } catch { return [newRow(0)]; }
};

element.addEventListener("input", ({ target }) => {
  const { field } = target.dataset;
  if (!field) return;
  const row = rows[[...list.children].indexOf(target.closest("li"))];
  row[field] = target.value.replace(/\s*\n\s*/g, " ");
  if (field === "seconds" && target.value !== "") row.seconds = Number(target.value);
  if (field === "prompt") { fit(target); if (!row.typed) delete row.seed; }
  send();
});
element.addEventListener("keydown", (event) => {
  if (event.target.dataset.field !== "prompt" || event.key !== "Enter" || event.isComposing) return;
  event.preventDefault(); // a new line is a new row
  if (event.ctrlKey || event.metaKey) return;
  const index = [...list.children].indexOf(event.target.closest("li"));
  rows.splice(index + 1, 0, newRow(index + 1));
  render(); send(); focus(index + 1, "textarea");
});
element.addEventListener("paste", (event) => {
  const lines = event.clipboardData.getData("text").split(/\r?\n/).map((line) => line.trim())
    .filter((line) => line && !line.startsWith("#"));
  if (event.target.dataset.field !== "prompt" || !(lines.length > 1 || lines[0]?.includes("|"))) return;
  event.preventDefault();
  const index = [...list.children].indexOf(event.target.closest("li"));
  const pasted = lines.slice(0, MOST).map((line, number) => {
    const [, text, seed] = line.match(/^(.*?)(?:\s*\|\s*seed\s+(\d+))?$/i);
    const [, prompt, said] = text.match(/^(.*?)(?:\s*\|\s*([^|]*?)\s*(?:s|secs?|seconds?)?)?$/i);
    const seconds = said === undefined ? secondsOf(index + number) : Number(said) || said; // what is no number is refused
    return { prompt, seconds, ...(seed && { seed, typed: true }) };
  });
  rows.splice(index, rows[index].prompt ? 0 : 1, ...pasted);
  render(); send(); focus(index + pasted.length - 1, "textarea");
});
element.addEventListener("click", ({ target }) => {
  const pressed = target.closest("[data-action]");
  if (!pressed || pressed.ariaDisabled === "true") return;
  const { action } = pressed.dataset;
  const index = [...list.children].indexOf(pressed.closest("li"));
  const next = { up: index - 1, down: index + 1, add: rows.length, remove: Math.min(index, rows.length - 2) }[action];
  if (action === "add") rows.push(newRow(rows.length));
  else if (action === "remove") rows.splice(index, 1);
  else rows.splice(next, 0, ...rows.splice(index, 1));
  render(); send();
  focus(next, action === "add" || action === "remove" ? "textarea" : `[data-action=${action}]`);
});
// Lines keep the seeds of the film that they come from, until another seed is typed.
document.addEventListener("input", ({ target }) => {
  const kept = rows.filter((row) => row.seed && !row.typed);
  if (!target.closest?.("#film-seed") || !kept.length) return;
  kept.forEach((row) => delete row.seed);
  send();
}, true);
window.showStory = (text) => {
  if (text === sent) return;
  rows = read(text);
  sent = text;
  render();
};
// The field that a refusal is about is marked: a line, or how long it is to last.
let isRefused = false;
new MutationObserver(() => {
  const said = document.querySelector("#story-text .validation-error:not(textarea)")?.textContent ?? "";
  if (!said && !isRefused) return;
  isRefused = said !== "";
  const number = Number(said.match(/Line (\d+)/)?.[1] ?? 0);
  const refused = /is to last/.test(said) ? "seconds" : "prompt";
  [...list.children].forEach((item, index) => item.querySelectorAll("[data-field]").forEach((field) => {
    if (index + 1 === number && field.dataset.field === refused) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
  }));
}).observe(document.body, { subtree: true, childList: true });
const begin = () => {
  if (!box()) { setTimeout(begin, 50); return; }
  if (box().value) window.showStory(box().value); else { render(); send(); }
};
render();
begin();
document.addEventListener("keydown", (event) => {
  const isMake = event.key === "Enter" && (event.ctrlKey || event.metaKey);
  const isStop = event.key === "Escape" && !document.querySelector("[role=listbox], [role=dialog], dialog[open]");
  const pressed = document.getElementById(isMake ? "film-make" : "film-stop");
  if (!(isMake || isStop) || event.isComposing || !pressed || pressed.disabled || pressed.offsetParent === null) return;
  event.preventDefault();
  setTimeout(() => pressed.click(), 50);
}, true);
