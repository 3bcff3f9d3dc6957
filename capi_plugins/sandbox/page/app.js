// The page: receives events as they arrive, filters and lists them.

import { badge, clock, codeOf, copy, keyChip, make, money, STATUS_NAMES } from "./elements.js";
import { detail } from "./detail.js";
import { faultPanel, showFaults } from "./faults.js";
import { hasStatus, showCoverage, showNames, showTiles } from "./summary.js";

const KEPT = 10_000;
const PAGE = 300;
const CHIPS = 7;
const element = (id) => document.getElementById(id);

let events = [];
let waiting = [];
let paused = false;
let run = null;
let stream = null;
let shown = PAGE;
let selected = null;
let drawing = false;
const filter = { search: "", status: null, name: null, source: "", dataset: "" };

async function call(method, path, body) {
  const answer = await fetch(`/_sandbox/${path}`, {
    method,
    headers: body ? { "Content-Type": "application/json" } : {},
    body: body ? JSON.stringify(body) : undefined,
  });
  return answer.json();
}

// --- events coming in

function connect() {
  stream?.close();
  stream = new EventSource("/_sandbox/stream");
  stream.onopen = () => connection("Listening", "on");
  stream.onerror = () => connection("Reconnecting", "off");
  stream.addEventListener("events", (message) => receive(JSON.parse(message.data)));
  stream.addEventListener("reset", forget);
  stream.addEventListener("state", (message) => takeState(JSON.parse(message.data)));
}

function connection(text, state) {
  element("connection").textContent = text;
  element("connection").dataset.state = state;
}

function takeState(state) {
  if (run !== null && run !== state.run) { // another sandbox has taken its place
    run = state.run;
    forget();
    connect();
    return;
  }
  run = state.run;
  for (const input of document.querySelectorAll("input[name=mode]")) input.checked = input.value === state.mode;
  showFaults(state);
  showSettings(state);
  draw();
}

function receive(arrived) {
  if (paused) {
    waiting.push(...arrived);
    element("pause").textContent = `Resume, ${waiting.length.toLocaleString()} new`;
    return;
  }
  add(arrived);
}

function add(arrived) {
  for (const event of arrived) {
    event.words = [event.name, event.dataset, event.event_id, event.action_source, event.status,
      event.refusal?.text, event.refusal && codeOf(event.refusal), event.request.id,
      event.test_event_code, JSON.stringify(event.payload)].join(" ").toLowerCase();
  }
  events.push(...arrived);
  if (events.length > KEPT) events = events.slice(-KEPT);
  draw();
}

function forget() {
  events = [];
  waiting = [];
  shown = PAGE;
  if (paused) element("pause").textContent = "Resume";
  closeDetail();
  draw();
}

// --- what is seen

function matches(event, except = "") {
  return (except === "status" || !filter.status || hasStatus(event, filter.status))
    && (except === "name" || !filter.name || (event.name || "(unnamed)") === filter.name)
    && (!filter.source || (event.action_source ?? "") === filter.source)
    && (!filter.dataset || event.dataset === filter.dataset)
    && (!filter.search || filter.search.split(/\s+/).every((word) => event.words.includes(word)));
}

function draw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    drawNow();
  });
}

function drawNow() {
  const found = events.filter((event) => matches(event));
  showTiles(element("tiles"), events.filter((event) => matches(event, "status")), filter.status, toggle("status"));
  showNames(element("names"), events.filter((event) => matches(event, "name")), filter.name, toggle("name"));
  showCoverage(element("coverage"), found);
  options(element("source"), "All sources", events.map((event) => event.action_source), filter.source);
  options(element("dataset"), "All datasets", events.map((event) => event.dataset), filter.dataset);
  drawRows(found);
  const empty = events.length === 0 && !paused;
  element("empty").hidden = !empty;
  element("list").classList.toggle("is-empty", empty);
  document.body.classList.toggle("is-empty", empty);
  element("none").hidden = events.length === 0 || found.length > 0;
  element("more").hidden = found.length <= shown;
  element("more-button").textContent = `Show ${Math.min(PAGE, found.length - shown)} older events`;
  document.title = events.length ? `Sandbox (${events.length.toLocaleString()})` : "Sandbox";
}

function toggle(what) {
  return (value) => {
    filter[what] = filter[what] === value ? null : value;
    draw();
  };
}

function options(select, all, values, chosen) {
  const wanted = ["", ...[...new Set(values.filter((value) => typeof value === "string" && value))].sort()];
  if (chosen && !wanted.includes(chosen)) wanted.push(chosen);
  select.hidden = wanted.length < 3 && !chosen;
  if (wanted.join("\n") === [...select.options].map((option) => option.value).join("\n")) return;
  select.replaceChildren(...wanted.map((value) => make("option", { value }, value || all)));
  select.value = chosen;
}

function drawRows(found) {
  const body = element("rows");
  const known = new Map([...body.children].map((row) => [Number(row.dataset.seq), row]));
  const newest = found.slice(-shown).reverse();
  let place = body.firstElementChild;
  for (const event of newest) {
    const element = known.get(event.seq) ?? row(event);
    known.delete(event.seq);
    if (element === place) place = place.nextElementSibling;
    else body.insertBefore(element, place);
  }
  for (const gone of known.values()) gone.remove();
  const focusable = body.querySelector("tr.is-selected") ?? body.firstElementChild;
  for (const one of body.children) one.tabIndex = one === focusable ? 0 : -1;
}

function row(event) {
  const extra = event.keys.length - CHIPS;
  const made = make("tr", { "data-seq": event.seq, class: `row row-${event.status}`, tabindex: -1 },
    make("td", { class: "c-time", title: clock(event.received_at, true) }, clock(event.received_at)),
    make("td", { class: "c-name" },
      make("span", { class: "event-name" }, event.name || (event.payload === null ? "No events" : "Unnamed")),
      make("span", { class: "event-source" }, sourceOf(event))),
    make("td", { class: "c-status" }, status(event)),
    make("td", { class: "c-keys" }, make("div", { class: "chips" },
      event.keys.slice(0, CHIPS).map(keyChip),
      extra > 0 && make("span", { class: "chip chip-more", title: event.keys.map(({ key }) => key).join(", ") }, `+${extra}`))),
    make("td", { class: "c-value" }, money(event.value, event.currency)));
  made.setAttribute("aria-label", `${event.name || "unnamed"}, ${STATUS_NAMES[event.status]}`);
  if (selected === event.seq) made.classList.add("is-selected");
  return made;
}

function sourceOf(event) {
  const source = typeof event.action_source === "string" ? event.action_source : "no source";
  return event.payload === null ? event.request.path : source;
}

function status(event) {
  const warnings = event.warnings.length;
  let line = "";
  if (event.status === "refused") {
    const innocent = event.problems.length === 0 && event.request.batch > 1 && event.refusal.reason !== "injected";
    const why = innocent ? "because of another event in its batch" : event.refusal.title || event.refusal.text;
    line = make("span", { class: "why", title: event.refusal.text },
      event.refusal.code ? make("code", {}, codeOf(event.refusal), " ") : null, why);
  } else if (event.status === "duplicate") {
    line = make("span", { class: "why" }, "same name and event_id within 48 h");
  } else if (warnings) {
    line = make("span", { class: "why", title: event.warnings.map(({ text }) => text).join("\n") }, event.warnings[0].text);
  }
  const count = make("span", { class: "badge badge-warning" }, `${warnings} ${warnings === 1 ? "warning" : "warnings"}`);
  return make("div", { class: "status" }, make("span", { class: "badges" }, badge(event), warnings > 0 && count), line);
}

// --- details and keyboard

function open(seq, focus) {
  const event = events.find((one) => one.seq === seq);
  if (!event) return;
  selected = seq;
  const panel = element("detail");
  panel.replaceChildren(...detail(event, () => closeDetail(true)));
  panel.hidden = false;
  panel.scrollTop = 0;
  document.body.classList.add("has-detail");
  mark();
  if (focus) panel.focus();
}

function closeDetail(focusRow = false) {
  const row = document.querySelector("tr.is-selected");
  selected = null;
  element("detail").hidden = true;
  document.body.classList.remove("has-detail");
  mark();
  if (focusRow) row?.focus();
}

function mark() {
  for (const one of element("rows").children) {
    const is = Number(one.dataset.seq) === selected;
    one.classList.toggle("is-selected", is);
    one.setAttribute("aria-selected", String(is));
  }
}

element("rows").addEventListener("click", (click) => {
  const row = click.target.closest("tr");
  if (!row || getSelection().toString()) return;
  open(Number(row.dataset.seq));
  row.focus({ preventScroll: true });
});

element("rows").addEventListener("keydown", (press) => {
  const row = press.target.closest("tr");
  if (!row) return;
  const steps = { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling,
    Home: element("rows").firstElementChild, End: element("rows").lastElementChild };
  if (press.key in steps) {
    press.preventDefault();
    const next = steps[press.key];
    if (!next) return;
    row.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
    if (selected !== null) open(Number(next.dataset.seq));
  } else if (press.key === "Enter" || press.key === " ") {
    press.preventDefault();
    open(Number(row.dataset.seq), true);
  }
});

document.addEventListener("keydown", (press) => {
  const typing = press.target.matches("input, select, textarea");
  if (element("faults").open) return;
  if (press.key === "Escape" && selected !== null) closeDetail(true);
  else if (press.key === "/" && !typing) {
    press.preventDefault();
    element("search").focus();
  }
});

// --- controls

element("search").addEventListener("input", (event) => {
  filter.search = event.target.value.trim().toLowerCase();
  draw();
});
for (const name of ["source", "dataset"]) {
  element(name).addEventListener("change", (event) => {
    filter[name] = event.target.value;
    draw();
  });
}
element("unfilter").addEventListener("click", () => {
  Object.assign(filter, { search: "", status: null, name: null, source: "", dataset: "" });
  element("search").value = element("source").value = element("dataset").value = "";
  draw();
});
element("more-button").addEventListener("click", () => {
  shown += PAGE;
  draw();
});
element("pause").addEventListener("click", () => {
  paused = !paused;
  element("pause").setAttribute("aria-pressed", String(paused));
  element("pause").textContent = paused ? "Resume" : "Pause";
  if (!paused) add(waiting.splice(0));
  draw();
});
element("clear").addEventListener("click", async () => {
  await call("POST", "clear");
  element("said").textContent = "Cleared";
});
element("mode").addEventListener("change", async (event) => {
  takeState(await call("POST", "mode", { mode: event.target.value }));
});
for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", () => copy(element(button.dataset.copy).textContent, button));
}
faultPanel(call);

// --- the empty page

function showSettings({ datasets }) {
  const dataset = datasets?.[0] ?? "1234567890";
  const token = datasets ? "the token of this dataset" : "sandbox-token";
  element("settings").textContent = [
    "CAPI = {",
    '    "DESTINATIONS": {',
    '        "meta": {',
    `            "DATASET_ID": "${dataset}",`,
    `            "ACCESS_TOKEN": "${token}",`,
    `            "API_URL": "${location.origin}",`,
    "        },",
    "    },",
    '    "CONSENT": {"DEFAULT": "granted"},  # for trying out',
    "}",
  ].join("\n");
  const event = '{"event_name": "Lead", "event_time": \'$(date +%s)\', "event_id": "try-1",\n  "action_source": "website",'
    + ' "event_source_url": "https://shop.example/",\n  "user_data": {"client_user_agent": "Mozilla/5.0",'
    + '\n  "em": ["62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"]}}';
  element("curl").textContent = `curl ${location.origin}/v26.0/${dataset}/events \\\n`
    + `  -H 'Authorization: Bearer ${token}' -H 'Content-Type: application/json' \\\n  -d '{"data": [${event}]}'`;
  element("accepts").textContent = datasets
    ? `Known datasets: ${datasets.join(", ")}.`
    : "Any dataset id and any token will do; a token with the word invalid or expired in it is refused, for trying that out.";
}

connect();
