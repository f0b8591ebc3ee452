// A chat page over POST chat. Everything a bot or a visitor wrote goes into the page as text, never as markup.
"use strict";

(() => {
  const el = (id) => document.getElementById(id);
  const log = el("log"), scroll = el("scroll"), typing = el("typing"), options = el("options");
  const trouble = el("trouble"), form = el("form"), input = el("text"), send = el("send");

  const KEPT = "supportbot.conversation"; // in this tab only: a reload goes on, a new tab begins anew
  const WAIT = 45000; // milliseconds; the server itself gives up earlier
  let conversation = { session: null, entries: [], options: [] };
  let busy = false;
  let failed = null; // what "Try again" sends
  let round = 0; // a new conversation makes answers to the old one void

  // --- what is kept over a reload

  const keep = () => {
    try { sessionStorage.setItem(KEPT, JSON.stringify(conversation)); } catch { /* private mode: nothing is kept */ }
  };
  const kept = () => {
    try {
      const found = JSON.parse(sessionStorage.getItem(KEPT) || "null");
      return found && typeof found.session === "string" && Array.isArray(found.entries) && found.entries.length ? found : null;
    } catch { return null; }
  };
  const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

  // --- drawing

  const toEnd = () => { scroll.scrollTop = scroll.scrollHeight; };
  const toAnswer = () => {
    // A long answer is read from its beginning: the question stays at the top of the view.
    const asked = [...log.querySelectorAll("li.you")].pop();
    const end = scroll.scrollHeight - scroll.clientHeight;
    const top = asked ? asked.offsetTop - log.offsetTop : 0;
    scroll.scrollTop = end - top < 40 ? end : top;
  };
  const focusInput = () => { if (matchMedia("(hover: hover)").matches) input.focus(); }; // else a keyboard would pop up

  const addLines = (bubble, text) => {
    // A line such as "2. Restart it" is a step: its number stands in front, its text is indented.
    for (const line of text.split("\n")) {
      const row = document.createElement("div");
      const step = /^ {0,3}(\d{1,2}[.)]|[-•]) +(?=\S)/.exec(line);
      row.className = step ? "step" : line.trim() ? "line" : "gap";
      if (step) {
        const mark = document.createElement("span");
        mark.textContent = step[1];
        const words = document.createElement("span");
        addText(words, line.slice(step[0].length));
        row.append(mark, words);
      } else {
        addText(row, line);
      }
      bubble.append(row);
    }
  };

  const addText = (bubble, text) => {
    // Web addresses become links; the pattern only finds where one begins and ends.
    let from = 0;
    for (const found of text.matchAll(/https?:\/\/[^\s<>"']*[^\s<>"'.,;:!?)\]]/g)) {
      bubble.append(text.slice(from, found.index));
      const link = document.createElement("a");
      link.href = found[0];
      link.target = "_blank";
      link.rel = "noopener noreferrer";
      link.textContent = found[0];
      bubble.append(link);
      from = found.index + found[0].length;
    }
    bubble.append(text.slice(from));
  };

  const draw = (entry) => {
    const item = document.createElement("li");
    item.className = entry.by;
    const who = document.createElement("span");
    who.className = "unseen";
    who.textContent = entry.by === "you" ? "You: " : el("name").textContent + ": ";
    const bubble = document.createElement("div");
    bubble.className = "bubble";
    bubble.dir = "auto";
    bubble.append(who);
    if (entry.by === "you") addText(bubble, entry.text); else addLines(bubble, entry.text);
    item.append(bubble);
    log.append(item);
    stamp(item, entry);
    toEnd();
    return item;
  };

  const stamp = (item, entry) => {
    // One time under the last bubble of a side is enough.
    const before = item.previousElementSibling;
    if (before && before.className === item.className) before.querySelector("time")?.remove();
    const time = document.createElement("time");
    const at = new Date(entry.at);
    time.dateTime = at.toISOString();
    time.textContent = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    item.append(time);
  };

  const showOptions = (labels) => {
    const held = options.contains(document.activeElement);
    options.replaceChildren(...labels.map((label) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = label;
      button.addEventListener("click", () => say(label));
      return button;
    }));
    options.hidden = labels.length === 0;
    if (held) focusInput();
  };

  const showTrouble = (reason) => {
    el("reason").textContent = reason || "";
    trouble.hidden = !reason;
    if (reason) toEnd();
  };

  const presence = (kind, text) => { el("presence").dataset.kind = kind; el("presence").textContent = text; };

  const working = (on) => {
    busy = on;
    typing.hidden = !on;
    el("status").textContent = on ? "The bot is writing" : "";
    ready();
    if (on) toEnd();
  };

  const ready = () => { send.disabled = busy || !input.value.trim(); };

  const grow = () => { input.style.height = "auto"; input.style.height = input.scrollHeight + "px"; };

  // --- talking

  const ask = async (text, id) => {
    const body = { message: text, message_id: id, session_id: conversation.session };
    const answer = await fetch("chat", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(WAIT),
    });
    const data = await answer.json().catch(() => null);
    if (answer.status >= 500) throw new Error("Something went wrong on our side. Your message was not answered.");
    if (!answer.ok || !data) throw new Error(data?.detail || "The server answered with an error (" + answer.status + ").");
    return data;
  };

  const exchange = async (text, id, item) => {
    const mine = round;
    working(true);
    showTrouble("");
    showOptions([]);
    try {
      const data = await ask(text, id);
      if (mine !== round) return;
      item?.classList.remove("unsent");
      presence("good", "Online");
      receive(data);
    } catch (failure) {
      if (mine !== round) return;
      failed = { text, id, item };
      item?.classList.add("unsent");
      presence("bad", failure instanceof TypeError ? "No connection" : "Having trouble");
      showTrouble(reasonOf(failure));
    } finally {
      if (mine === round) working(false);
    }
  };

  const reasonOf = (failure) => {
    if (failure.name === "TimeoutError") return "There was no answer in time.";
    if (failure instanceof TypeError) return "The server cannot be reached. Are you online?";
    return failure.message;
  };

  const receive = (data) => {
    const replies = Array.isArray(data.replies) ? data.replies : [];
    let labels = [];
    for (const reply of replies) {
      const entry = { by: "bot", text: String(reply.text), at: Date.now() };
      conversation.entries.push(entry);
      draw(entry);
      labels = Array.isArray(reply.suggestions) ? reply.suggestions.map(String) : [];
    }
    conversation.options = labels;
    keep();
    working(false);
    showOptions(labels);
    toAnswer();
  };

  const say = (text) => {
    const words = text.trim();
    if (busy || !words) return;
    failed = null;
    const entry = { by: "you", text: words, at: Date.now() };
    conversation.entries.push(entry);
    conversation.options = [];
    keep();
    exchange(words, newId(), draw(entry));
    input.value = "";
    grow();
    ready();
  };

  const begin = () => {
    round += 1;
    failed = null;
    conversation = { session: newId(), entries: [], options: [] };
    keep();
    log.replaceChildren();
    exchange("", newId(), null);
    focusInput();
  };

  const goOn = (found) => {
    conversation = { session: found.session, entries: found.entries, options: Array.isArray(found.options) ? found.options : [] };
    conversation.entries.forEach(draw);
    showOptions(conversation.options);
    toEnd();
    presence("good", "Online");
  };

  const introduce = async () => {
    try {
      const about = await (await fetch("./")).json();
      if (about.bot) { el("name").textContent = about.bot; document.title = about.bot; }
    } catch { /* the page works without the name */ }
  };

  form.addEventListener("submit", (event) => { event.preventDefault(); say(input.value); });
  input.addEventListener("input", () => { grow(); ready(); });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); say(input.value); }
  });
  el("again").addEventListener("click", begin);
  el("retry").addEventListener("click", () => { if (failed && !busy) exchange(failed.text, failed.id, failed.item); });
  window.addEventListener("online", () => { if (failed && !busy) exchange(failed.text, failed.id, failed.item); });

  introduce().then(() => {
    const found = kept();
    if (found) goOn(found); else begin();
  });
})();
