// The manager's page: it reads the figures of one admin address and draws them. The token is kept in a variable only.
import { barsByDay, barsOf, linesByDay, rowsOfBars } from "./charts.js";
import { count, exact, money, percent, rate, seconds, tick } from "./numbers.js";

const el = (id) => document.getElementById(id);
const WAIT = 20000; // milliseconds
const MOST_ROWS = 8; // in a plot; the table has all

let token = "";
let read = null; // {stats, report}
let round = 0; // an answer to an older question is void
const asTable = new Set(); // titles of the cards that are shown as tables

// --- reading figures: paths as tests check them against the server's answers

const within = (data, path) => path.split(".").reduce((found, name) => found?.[name], data) ?? null;
const value = (path) => within(read, path);
const column = (path) => {
  const [list, name] = path.split("[].");
  return value(list).map((row) => within(row, name));
};
const shares = (path) => Object.entries(value(path)).map(([name, share]) => ({ name, count: share.count, percent: share.percent }));

const node = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, given] of Object.entries(attributes)) element.setAttribute(name, given);
  element.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return element;
};

// --- a card: a plot and the table of the same figures

const tableOf = (title, columns) => {
  const heads = columns.map((one) => node("th", { scope: "col", ...(one.format ? { class: "number" } : {}) }, one.name));
  const body = (columns[0]?.values ?? []).map((_, row) => {
    const cells = columns.map((one, at) => {
      const text = one.format ? one.format(one.values[row]) : one.values[row];
      if (at === 0) return node("th", { scope: "row" }, text);
      return node("td", one.format ? { class: "number" } : {}, text);
    });
    return node("tr", {}, ...cells);
  });
  const table = node("table", {}, node("caption", { class: "unseen" }, title), node("thead", {}, node("tr", {}, ...heads)), node("tbody", {}, ...body));
  return node("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${title}, table` }, table);
};

const legendOf = (series) => node("ul", { class: "legend" }, ...series.map((one) => node("li", {}, node("i", { class: one.color, "aria-hidden": "true" }), one.name)));

const card = ({ title, about, columns, draw, series, size, none }) => {
  const top = node("div", { class: "top" }, node("h2", {}, title));
  const section = node("section", { class: size ? `card ${size}` : "card" }, top);
  if (about) section.append(node("p", { class: "about" }, about));
  if (!columns[0].values.length) {
    section.append(node("p", { class: "none" }, none ?? "Nothing in this period."));
    return section;
  }
  const table = tableOf(title, columns);
  section.append(table);
  if (!draw) return section;
  const readout = node("p", { class: "readout", "aria-live": "polite" });
  const box = node("div", { class: series ? "box" : "box rows" });
  const plot = node("div", {}, ...(series?.length > 1 ? [legendOf(series)] : []), ...(series ? [readout] : []), box);
  section.insertBefore(plot, table);
  const button = node("button", { type: "button" }, "Table");
  const show = (on) => {
    plot.hidden = on;
    table.hidden = !on;
    button.textContent = on ? "Plot" : "Table";
    button.setAttribute("aria-label", `${button.textContent}: ${title}`);
  };
  button.addEventListener("click", () => {
    const on = !asTable.has(title);
    if (on) asTable.add(title); else asTable.delete(title);
    show(on);
  });
  top.append(button);
  show(asTable.has(title));
  draw(box, readout);
  return section;
};

// --- figures by day, with the days on which nothing happened

const byDay = () => {
  const { unit, days, joined } = barsOf(column("report.by_day[].id"));
  const sums = (values) => joined(values, (sum, one) => (sum ?? 0) + (one ?? 0));
  const slowest = (values) => joined(values, (most, one) => (one === null ? most : Math.max(most ?? 0, one)));
  const counts = column("report.by_day[].messages");
  const spans = column("report.by_day[].latency.mean").map((mean, index) => (mean ?? 0) * counts[index]);
  const ended = sums(column("report.by_day[].ended")), automated = sums(column("report.by_day[].automated"));
  const messages = sums(counts);
  return {
    unit,
    days,
    ended,
    automated,
    automation: ended.map((all, index) => (all ? automated[index] / all : null)),
    messages,
    conversations: sums(column("report.by_day[].conversations")),
    turns: sums(column("report.by_day[].model_turns")),
    tokens: sums(column("report.by_day[].tokens")),
    saved: sums(column("report.by_day[].saved")),
    cost: sums(column("report.by_day[].cost")),
    mean: sums(spans).map((span, index) => (messages[index] ? span / messages[index] : null)),
    half: slowest(column("report.by_day[].latency.p50")),
    most: slowest(column("report.by_day[].latency.p95")),
  };
};

const dayCards = () => {
  const day = byDay();
  const people = day.ended.map((ended, index) => ended - day.automated[index]);
  const unit = day.unit;
  const named = { name: unit === "day" ? "Day" : "Week from", values: day.days };
  const automation = [{ name: "Automation rate", color: "one", values: day.automation }];
  const endings = [
    { name: "Without a person", color: "one", values: day.automated },
    { name: "Handed to a person", color: "two", values: people },
  ];
  const volume = [{ name: "Messages", color: "three", values: day.messages }];
  const tokens = [
    { name: "Spent", color: "two", values: day.tokens },
    { name: "Saved", color: "three", values: day.saved },
  ];
  const speed = [
    { name: "Half of the answers within", color: "three", values: day.half },
    { name: "19 of 20 within", color: "two", values: day.most },
  ];
  const spend = [{ name: "Model spend", color: "two", values: day.cost }];
  const cards = [
    card({
      title: `Automation rate by ${unit}`,
      about: "Of the conversations that ended, those without a person",
      size: "wide",
      series: automation,
      columns: [named, { name: "Rate", values: day.automation, format: rate }, { name: "Ended", values: day.ended, format: exact }],
      draw: (box, readout) => linesByDay(box, readout, { name: `Automation rate by ${unit}. Arrow keys read the ${unit}s.`, days: day.days, series: automation, format: rate, top: 1 }),
    }),
    card({
      title: "Conversations that ended",
      about: `By ${unit}, with and without a person`,
      size: "wide",
      series: endings,
      columns: [named, { name: "Without a person", values: day.automated, format: exact }, { name: "With a person", values: people, format: exact }],
      draw: (box, readout) => barsByDay(box, readout, { name: `Conversations that ended, by ${unit}. Arrow keys read the ${unit}s.`, days: day.days, series: endings, format: exact, axis: tick }),
    }),
    card({
      title: "Messages",
      about: `By ${unit}`,
      size: "wide",
      series: volume,
      columns: [named, { name: "Messages", values: day.messages, format: exact }, { name: "Conversations begun", values: day.conversations, format: exact }],
      draw: (box, readout) => barsByDay(box, readout, { name: `Messages by ${unit}. Arrow keys read the ${unit}s.`, days: day.days, series: volume, format: exact, axis: tick }),
    }),
    card({
      title: "Tokens of the model",
      about: "Saved: against sending the whole knowledge with each message",
      size: "wide",
      series: tokens,
      columns: [named, { name: "Model turns", values: day.turns, format: exact }, { name: "Spent", values: day.tokens, format: exact }, { name: "Saved", values: day.saved, format: exact }, { name: "Cost", values: day.cost, format: money }],
      draw: (box, readout) => barsByDay(box, readout, { name: `Tokens spent and saved by ${unit}. Arrow keys read the ${unit}s.`, days: day.days, series: tokens, format: exact, axis: tick }),
    }),
    card({
      title: `Time to answer by ${unit}`,
      about: unit === "day" ? "The model's answers count, too" : "Of each week, its slowest day",
      size: "whole",
      series: speed,
      columns: [named, ...speed.map((one) => ({ name: one.name, values: one.values, format: seconds })), { name: "Mean", values: day.mean, format: seconds }],
      draw: (box, readout) => linesByDay(box, readout, { name: `Time to answer by ${unit}. Arrow keys read the ${unit}s.`, days: day.days, series: speed, format: seconds }),
    }),
  ];
  if (!day.cost.some((cost) => cost > 0)) return cards;
  return [
    ...cards,
    card({
      title: "Spend on the model",
      about: `By ${unit}, in the currency of the prices`,
      size: "whole",
      series: spend,
      columns: [named, { name: "Cost", values: day.cost, format: money }],
      draw: (box, readout) => barsByDay(box, readout, { name: `Spend on the model by ${unit}. Arrow keys read the ${unit}s.`, days: day.days, series: spend, format: money, axis: tick }),
    }),
  ];
};

// --- figures by name

const WORDS = {
  resolved: "Resolved", closed: "Closed by the visitor or the bot", abandoned: "Abandoned", person: "Handed to a person",
  rule: "A rule", llm: "The model", fallback: "Nobody: no rule, no model",
};
const COLORS = { person: "two", fallback: "two", llm: "three", abandoned: "four", closed: "three" };

// `whole`: bars are parts of everything, not of the longest one.
const shareCard = (title, about, path, first, { words = {}, whole = false } = {}) => {
  const found = shares(path);
  const all = whole ? found.reduce((sum, one) => sum + one.count, 0) : undefined;
  const rows = found.slice(0, MOST_ROWS).map((one) => ({
    name: words[one.name] ?? one.name, value: one.count, color: COLORS[one.name] ?? "one", shown: `${count(one.count)} · ${percent(one.percent)}`,
  }));
  return card({
    title,
    about: found.length > MOST_ROWS ? `${about}; the first ${MOST_ROWS} of ${found.length}` : about,
    columns: [
      { name: first, values: found.map((one) => words[one.name] ?? one.name) },
      { name: "Count", values: found.map((one) => one.count), format: exact },
      { name: "Share", values: found.map((one) => one.percent), format: percent },
    ],
    draw: (box) => rowsOfBars(box, { name: title, rows, whole: all }),
  });
};

const categoryCard = () => {
  const names = column("report.by_category[].id");
  const messages = column("report.by_category[].messages");
  const automation = column("report.by_category[].automation_rate");
  const order = names.map((_, index) => index).sort((a, b) => messages[b] - messages[a]);
  const sorted = (values) => order.map((index) => values[index]);
  const rows = order.slice(0, MOST_ROWS).map((index) => ({
    name: names[index], value: messages[index], shown: `${count(messages[index])} · ${rate(automation[index])} automated`,
  }));
  return card({
    title: "Categories",
    about: "Messages, and the automation rate",
    columns: [
      { name: "Category", values: sorted(names) },
      { name: "Messages", values: sorted(messages), format: exact },
      { name: "Ended", values: sorted(column("report.by_category[].ended")), format: exact },
      { name: "Automated", values: sorted(automation), format: rate },
      { name: "Tokens", values: sorted(column("report.by_category[].tokens")), format: exact },
    ],
    draw: (box) => rowsOfBars(box, { name: "Categories by messages", rows }),
  });
};

const speedCard = () => {
  const names = ["Half of the answers within", "Mean", "19 of 20 within"];
  const values = [value("stats.latency_seconds.p50"), value("stats.latency_seconds.mean"), value("stats.latency_seconds.p95")];
  const rows = names.map((name, index) => ({ name, value: values[index] ?? 0, shown: seconds(values[index]), color: "three" }));
  return card({
    title: "Time to answer",
    about: "The model's answers count, too",
    columns: [{ name: "Measure", values: names }, { name: "Time", values, format: seconds }],
    draw: (box) => rowsOfBars(box, { name: "Time to answer", rows }),
  });
};

const missesCard = () => {
  const texts = column("report.top_misses[].text");
  return card({
    title: "What no rule knew",
    about: `${exact(value("report.missed"))} messages in all; the most frequent texts, personal data masked`,
    size: "whole",
    none: "Every message fitted a rule.",
    columns: [
      { name: "Text", values: texts },
      { name: "Category", values: column("report.top_misses[].category") },
      { name: "Times", values: column("report.top_misses[].count"), format: exact },
    ],
  });
};

const modelsCard = () => {
  const names = column("report.models[].model");
  const calls = column("report.models[].calls");
  const failures = column("report.models[].failures");
  const rows = names.slice(0, MOST_ROWS).map((name, index) => ({ name, value: calls[index], color: "three", shown: `${count(calls[index])} turns · ${count(failures[index])} failed` }));
  return card({
    title: "Models",
    about: "Turns that asked a model",
    none: "No model was asked in this period.",
    columns: [
      { name: "Model", values: names },
      { name: "Turns", values: calls, format: exact },
      { name: "Failed", values: failures, format: exact },
      { name: "Tokens in", values: column("report.models[].tokens_in"), format: exact },
      { name: "Tokens out", values: column("report.models[].tokens_out"), format: exact },
      { name: "Cost", values: column("report.models[].cost"), format: money },
    ],
    draw: (box) => rowsOfBars(box, { name: "Models by turns", rows }),
  });
};

// --- tiles

const tile = (name, shown, more) => node("div", { class: "tile", role: "listitem" }, node("p", { class: "name" }, name), node("p", { class: "value" }, shown), node("p", { class: "more" }, more));

const tiles = () => {
  const messages = value("report.messages"), ended = value("report.ended");
  const missed = value("report.missed"), person = value("report.with_person");
  const turns = column("report.models[].calls").reduce((sum, calls) => sum + calls, 0);
  return [
    tile("Automation rate", rate(value("report.automation_rate")), `${count(value("report.automated"))} of ${count(ended)} ended without a person`),
    tile("Conversations", count(value("report.conversations")), `${count(messages)} messages`),
    tile("Handed to a person", count(person), ended ? `${rate(person / ended)} of those that ended` : "none has ended yet"),
    tile("Resolved", rate(value("stats.resolution.rate")), "of those that ended"),
    tile("Missed", count(missed), messages ? `${rate(missed / messages)} of the messages fitted no rule` : "no messages"),
    tile("Model turns", count(turns), `${count(value("report.tokens.spent"))} tokens, cost ${money(value("report.tokens.cost"))}`),
    tile("Tokens saved", count(value("report.tokens.saved")), `${rate(value("report.tokens.saved_rate"))} less than with the whole knowledge`),
    tile("Time to answer", seconds(value("stats.latency_seconds.p50")), `half of them; 19 of 20 in ${seconds(value("stats.latency_seconds.p95"))}`),
  ];
};

const draw = () => {
  el("bot").textContent = value("report.bot");
  document.title = `${value("report.bot")} – dashboard`;
  const none = value("report.messages") === 0 && value("report.ended") === 0;
  el("empty").hidden = !none;
  for (const id of ["tiles", "cards", "foot"]) el(id).hidden = none;
  if (none) return;
  el("tiles").replaceChildren(...tiles());
  el("cards").replaceChildren(
    ...dayCards(),
    shareCard("How conversations ended", "Share of those that ended", "report.results", "Result", { words: WORDS, whole: true }),
    shareCard("Who answered", "Share of the messages", "stats.outcomes", "Answer", { words: WORDS, whole: true }),
    speedCard(),
    shareCard("Top handlers", "By messages", "stats.handlers", "Handler"),
    shareCard("Top guides", "By messages", "stats.guides", "Guide"),
    categoryCard(),
    missesCard(),
    modelsCard(),
    shareCard("Channels", "By messages", "stats.channels", "Channel", { whole: true }),
    shareCard("States", "In which messages ended", "stats.states", "State"),
  );
};

// --- asking

class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

const ask = async (path) => {
  const answer = await fetch(path, {
    headers: { Accept: "application/json", ...(token ? { Authorization: `Bearer ${token}` } : {}) },
    cache: "no-store",
    credentials: "omit",
    signal: AbortSignal.timeout(WAIT),
  });
  const data = await answer.json().catch((failure) => {
    if (answer.ok && !(failure instanceof SyntaxError)) throw failure; // the answer did not end
    return null;
  });
  if (!answer.ok || !data) throw new Refused(answer.status, data?.detail ?? `The server answered with an error (${answer.status}).`);
  return data;
};

const reasonOf = (failure) => {
  if (failure.name === "TimeoutError") return "The server did not answer in time.";
  if (failure instanceof TypeError) return "The server cannot be reached.";
  return failure.message;
};

const showOnly = (shown) => {
  for (const id of ["entry", "trouble"]) el(id).hidden = id !== shown;
  for (const id of ["period", "again"]) el(id).hidden = shown === "entry";
  if (shown) for (const id of ["tiles", "cards", "foot", "empty"]) el(id).hidden = true;
};

const showFailure = (failure) => {
  el("updated").textContent = "";
  if (failure.status === 401) {
    showOnly("entry");
    el("refused").textContent = token ? "This token is not the right one." : "";
    token = "";
    el("token").value = "";
    el("token").focus();
    return;
  }
  showOnly("trouble");
  el("trouble-title").textContent = failure.status === 403 ? "This page is closed" : "The figures cannot be shown";
  el("reason").textContent = reasonOf(failure);
};

const load = async () => {
  const mine = (round += 1);
  const since = document.querySelector("input[name=since]:checked").value;
  const query = since ? `?since=${since}` : "";
  el("again").disabled = true;
  el("updated").textContent = "Loading…";
  try {
    const figures = await ask(`dashboard/figures${query}`);
    if (mine !== round) return;
    read = figures;
    showOnly("");
    try {
      draw();
    } catch (failure) {
      reportError(failure); // so that the browser's console has it
      throw new Refused(0, "The server sent figures that this page does not know. Reload the page.");
    }
    el("updated").textContent = `As of ${new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}`;
  } catch (failure) {
    if (mine === round) showFailure(failure);
  } finally {
    if (mine === round) el("again").disabled = false;
  }
};

el("entry").addEventListener("submit", (event) => {
  event.preventDefault();
  token = el("token").value.trim();
  el("refused").textContent = "";
  load();
});
el("period").addEventListener("change", load);
el("again").addEventListener("click", load);
el("retry").addEventListener("click", load);
load();
