// The details of one event: verdict, remarks, facts, payload, answer and request.

import { badge, clock, codeOf, copy, keyChip, make, money } from "./elements.js";

export function detail(event, onClose) {
  const nothing = event.payload === null;
  return [
    make("div", { class: "detail-head" },
      make("div", { class: "detail-title" },
        make("h2", {}, event.name || (nothing ? "Request without events" : "Unnamed event")),
        badge(event)),
      make("button", { type: "button", class: "close", "aria-label": "Close details", onclick: onClose }, "×")),
    verdict(event),
    remarks(event),
    facts(event),
    event.keys.length > 0 && section("Match keys",
      make("div", { class: "chips" }, event.keys.map(keyChip)),
      make("p", { class: "quiet" }, "Filled: hashed. Outlined: sent as it is. Red: should be hashed.")),
    nothing ? null : code("Payload", event.payload),
    event.request.status
      ? code(`Answer, HTTP ${event.request.status}`, event.request.answer)
      : section("Answer", make("p", {}, "None: the connection was left without an answer.")),
    request(event.request),
  ].filter(Boolean);
}

function section(title, ...children) {
  return make("section", { class: "part" }, make("h3", {}, title), ...children);
}

function verdict(event) {
  if (event.status === "accepted") return null;
  if (event.status === "duplicate") {
    return make("div", { class: "say say-duplicate" },
      make("p", {}, "Answered like any other, and not counted: this dataset received an event with"
        + " the same name and event_id within the last 48 hours."));
  }
  const innocent = event.problems.length === 0 && event.payload !== null && event.request.batch > 1;
  const others = event.problems.filter((problem) => !same(problem, event.refusal));
  return make("div", { class: "say say-refused" },
    make("p", { class: "say-title" },
      event.refusal.title || event.request.answer?.error?.message || "Refused",
      event.refusal.code ? make("code", {}, codeOf(event.refusal)) : null),
    make("p", {}, event.refusal.text),
    innocent && make("p", { class: "quiet" },
      `Nothing is wrong with this event. Meta refuses a whole batch, here of ${event.request.batch},`
      + " for one bad event, and does not say which."),
    event.refusal.invented && make("p", { class: "quiet" },
      "Meta's own answer to this is not published; its subcode and text are the sandbox's."),
    others.length > 0 && make("p", { class: "say-more" }, "Wrong with this event:"),
    others.length > 0 && make("ul", {}, others.map((problem) =>
      make("li", {}, make("code", {}, problem.field || codeOf(problem)), " ", problem.text))));
}

function same(one, other) {
  return one.reason === other.reason && one.text === other.text;
}

function remarks(event) {
  if (event.warnings.length === 0) return null;
  return make("div", { class: "say say-warning" },
    make("p", { class: "say-title" }, event.warnings.length === 1 ? "One warning" : `${event.warnings.length} warnings`),
    make("ul", {}, event.warnings.map((warning) =>
      make("li", {}, make("code", {}, warning.field), " ", warning.text))));
}

function facts(event) {
  const pairs = [
    ["Event ID", text(event.event_id), "mono"],
    ["Source", text(event.action_source)],
    ["Value", money(event.value, event.currency)],
    ["Happened", typeof event.event_time === "number" ? `${clock(event.event_time, true)} (${age(event)})` : text(event.event_time)],
    ["Received", clock(event.received_at, true)],
    ["Dataset", event.dataset, "mono"],
    ["Test code", text(event.test_event_code), "mono"],
  ];
  return make("dl", { class: "facts" }, pairs.filter(([, value]) => value !== "").map(([name, value, look]) =>
    [make("dt", {}, name), make("dd", { class: look }, value)]));
}

function text(value) {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function age(event) {
  const seconds = Math.round(event.received_at - event.event_time);
  if (Math.abs(seconds) < 2) return "just then";
  const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const [unit, size] = units.find(([, length]) => Math.abs(seconds) >= length) ?? units[3];
  const count = Math.round(Math.abs(seconds) / size);
  return `${count} ${unit}${count === 1 ? "" : "s"} ${seconds < 0 ? "after" : "before"} it was received`;
}

function code(title, value) {
  const source = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  const button = make("button", { type: "button", class: "copy" }, "Copy");
  button.addEventListener("click", () => copy(source, button));
  const pre = make("pre", { tabindex: 0, "aria-label": title });
  if (typeof value === "string") pre.textContent = source;
  else pre.append(...coloured(source));
  return section(title, make("div", { class: "code" }, button, pre));
}

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const COLOURED_UP_TO = 100_000;

function coloured(source) {
  if (source.length > COLOURED_UP_TO) return [document.createTextNode(source)];
  const parts = [];
  let end = 0;
  for (const match of source.matchAll(TOKEN)) {
    parts.push(document.createTextNode(source.slice(end, match.index)));
    const look = match[1] ? (match[2] ? "j-key" : "j-text") : match[3] ? "j-word" : "j-number";
    parts.push(make("span", { class: look }, match[1] ?? match[0]), match[2] ?? "");
    end = match.index + match[0].length;
  }
  parts.push(document.createTextNode(source.slice(end)));
  return parts;
}

function request(sent) {
  const where = { query: "query string", header: "Authorization header", body: "body" };
  const pairs = [
    ["Path", `${sent.method} ${sent.path}`, "mono"],
    ["Encoding", sent.encoding],
    ["Token", where[sent.token_source] ?? "missing"],
    ["Batch", `${sent.batch} ${sent.batch === 1 ? "event" : "events"}, ${sent.size.toLocaleString()} bytes`],
    ["Request ID", sent.id, "mono"],
    ["Judged in", `${sent.latency_ms} ms`],
    ["Fault", sent.fault],
  ];
  const headers = Object.entries(sent.headers).map(([name, value]) => `${name}: ${value}`).join("\n");
  const pre = make("pre", { tabindex: 0 });
  pre.textContent = headers;
  return section("Request",
    make("dl", { class: "facts" }, pairs.filter(([, value]) => value).map(([name, value, look]) =>
      [make("dt", {}, name), make("dd", { class: look }, value)])),
    make("details", {}, make("summary", {}, "Headers"), make("div", { class: "code" }, pre)));
}
