"use strict";
// The sample browser. Texts of models and problems become text nodes, never markup.
const PAGE = 20;
const FIELDS = [
  { key: "run", label: "run", of: (s) => s.run },
  { key: "stage", label: "stage", of: (s) => s.stage },
  { key: "origin", label: "from", of: (s) => s.origin },
  { key: "kind", label: "kind of problem", of: (s) => s.kind },
  { key: "outcome", label: "outcome", of: (s) => outcome(s) },
];
const RANGES = [
  { key: "step", label: "step", of: (s) => s.step },
  { key: "reward", label: "reward", of: (s) => s.reward },
];
const chosen = {};
let samples = [];
let shown = PAGE;

function outcome(sample) {
  if (sample.right === null) return "not graded";
  return sample.right ? "right" : "wrong";
}

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function read() {
  const runs = JSON.parse(document.getElementById("data").textContent);
  samples = runs.flatMap((run) => run.samples.map((sample) => ({ ...sample, run: run.run })));
  for (const sample of samples) {
    sample.text = sample.pieces.join("");
    const reasons = sample.verdicts.map((verdict) => verdict[3]).join("\n");
    sample.haystack = [sample.id, sample.prompt, sample.text, sample.gold, reasons, sample.remark].join("\n").toLowerCase();
  }
}

function filters() {
  const form = document.getElementById("filters");
  form.replaceChildren();
  for (const field of FIELDS) {
    const values = [...new Set(samples.map(field.of))];
    if (values.length < 2) { delete chosen[field.key]; continue; }
    const select = element("select", { id: "filter-" + field.key }, element("option", { value: "" }, "all"));
    for (const value of values) select.append(element("option", { value }, value));
    select.value = values.includes(chosen[field.key]) ? chosen[field.key] : "";
    select.addEventListener("change", () => { chosen[field.key] = select.value; restart(); });
    form.append(element("label", {}, field.label, select));
  }
  for (const range of RANGES) {
    if (!samples.some((sample) => range.of(sample) !== null)) continue;
    for (const end of ["from", "to"]) {
      const key = range.key + "-" + end;
      const input = element("input", { id: "filter-" + key, type: "number", step: "any", value: chosen[key] ?? "" });
      input.addEventListener("input", () => { chosen[key] = input.value; restart(); });
      form.append(element("label", {}, range.label + " " + end, input));
    }
  }
  const search = element("input", { id: "filter-text", type: "search", value: chosen.text ?? "" });
  search.addEventListener("input", () => { chosen.text = search.value; restart(); });
  form.append(element("label", { className: "wide" }, "text", search));
  form.addEventListener("submit", (event) => event.preventDefault());
}

function matches(sample) {
  for (const field of FIELDS) if (chosen[field.key] && field.of(sample) !== chosen[field.key]) return false;
  for (const range of RANGES) {
    const value = range.of(sample);
    const [from, to] = [chosen[range.key + "-from"], chosen[range.key + "-to"]];
    if (from && !(value !== null && value >= Number(from))) return false;
    if (to && !(value !== null && value <= Number(to))) return false;
  }
  return !chosen.text || sample.haystack.includes(chosen.text.toLowerCase());
}

function restart() {
  shown = PAGE;
  list();
}

function list() {
  const found = samples.filter(matches);
  document.getElementById("count").textContent = found.length + " of " + samples.length + " samples match";
  document.getElementById("list").replaceChildren(...found.slice(0, shown).map(row));
  const more = document.getElementById("more");
  more.hidden = found.length <= shown;
}

function row(sample) {
  const step = sample.step === null ? sample.origin : "step " + sample.step;
  const reward = sample.reward === null ? "" : " · reward " + number(sample.reward);
  const mark = element("span", { className: sample.right === null ? "" : outcome(sample) }, outcome(sample));
  const first = sample.text.replace(/\s+/g, " ").slice(0, 160);
  const name = " · " + [sample.stage, step, sample.kind].join(" · ") + reward + " · ";
  const details = element("details", { className: "sample" }, element("summary", {}, mark, name, element("span", { className: "first" }, first)));
  // A body is made when it is first looked at.
  details.addEventListener("toggle", () => { if (details.open && details.children.length === 1) details.append(body(sample)); });
  return details;
}

function body(sample) {
  const made = element("div", {});
  const part = (title, node) => made.append(element("h4", {}, title), node);
  const name = sample.sample === null ? sample.id : sample.id + ", sample " + sample.sample;
  made.append(element("p", {}, name + (sample.remark ? " · " + sample.remark : "")));
  part("prompt", element("pre", {}, sample.prompt));
  const length = sample.n_tokens ? "completion, " + sample.n_tokens + " tokens" : "completion";
  part(sample.finish === "length" ? length + ", cut off by the budget" : length, tokens(sample));
  part("right answer", element("pre", {}, sample.gold));
  if (sample.verdicts.length) part("verdicts", verdicts(sample));
  return made;
}

// Tokens that only together make a character are one piece; it is shaded by the least probable of them.
function tokens(sample) {
  const box = element("div", { className: "tokens" });
  if (!sample.logprobs.length) { box.append(sample.text); return box; }
  const hiddenAt = sample.n_hidden ? sample.pieces.length - 400 : -1;
  let [least, sum, count] = [0, 0, 0];
  sample.pieces.forEach((piece, index) => {
    if (index === hiddenAt) box.append(element("span", { className: "break" }, " [" + sample.n_hidden + " tokens left out] "));
    const logprob = sample.logprobs[index] / 100;
    [least, sum, count] = [Math.min(least, logprob), sum + logprob, count + 1];
    if (piece === "" && index + 1 < sample.pieces.length) return;
    const title = (count > 1 ? count + " tokens, " : "") + "log-probability " + sum.toFixed(2) + ", probability " + percent(Math.exp(sum));
    const text = piece === "\n" ? "↵\n" : piece;
    box.append(element("span", { className: "p" + level(Math.exp(least)), title }, text));
    [least, sum, count] = [0, 0, 0];
  });
  return box;
}

function level(probability) {
  return [0.99, 0.9, 0.7, 0.5, 0.3, 0.1, 0.01].filter((bound) => probability <= bound).length;
}

function verdicts(sample) {
  const body = element("tbody", {});
  for (const [name, reward, result, reason] of sample.verdicts) {
    const cells = [number(reward), result, reason].map((text) => element("td", {}, text));
    body.append(element("tr", {}, element("th", { scope: "row" }, name), ...cells));
  }
  return element("div", { className: "scroll" }, element("table", {}, body));
}

function number(value) {
  return String(Math.round(value * 1000) / 1000);
}

function percent(value) {
  return (100 * value).toFixed(value < 0.01 ? 3 : 1) + "%";
}

function start() {
  read();
  filters();
  list();
  document.getElementById("more").addEventListener("click", () => { shown += PAGE; list(); });
}

start();
// What is folded on the screen is printed, but for the samples.
let opened = [];
window.addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open]):not(.sample)")];
  for (const details of opened) details.open = true;
});
window.addEventListener("afterprint", () => { for (const details of opened) details.open = false; });
