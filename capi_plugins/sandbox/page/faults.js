// The panel that injects faults.

import { make } from "./elements.js";

const KINDS = [
  ["throttle", "Throttle", "Error code", "code", 4],
  ["server_error", "Server error", "HTTP status", "status", 503],
  ["html", "HTML page instead of JSON", "HTTP status", "status", 502],
  ["error", "Any error code", "Error code", "code", 190],
  ["latency", "Slow answer", "Seconds", "seconds", 2],
  ["hang", "Never answer"],
  ["drop", "Close the connection"],
  ["drop_after_storing", "Store, then close the connection"],
  ["late_answer", "Store, answer late", "Seconds", "seconds", 15],
  ["truncated_json", "Store, answer with broken JSON"],
  ["slow_drip", "Store, answer byte by byte", "Seconds per byte", "seconds", 0.05],
  ["huge_body", "Store, answer with a huge body", "Bytes", "size", 67108864],
  ["no_trace_id", "Leave out fbtrace_id"],
  ["translated", "Errors in French"],
];

const element = (id) => document.getElementById(id);

export function faultPanel(call) {
  const dialog = element("faults");
  const kind = element("fault-kind");
  kind.append(...KINDS.map(([value, label]) => make("option", { value }, label)));

  function choose() {
    const [, , name, , preset] = KINDS.find(([value]) => value === kind.value);
    element("fault-number-label").hidden = !name;
    element("fault-number-name").textContent = name ?? "";
    element("fault-number").value = preset ?? "";
  }
  kind.addEventListener("change", choose);
  choose();

  element("faults-open").addEventListener("click", () => dialog.showModal());
  element("fault-forever").addEventListener("change", (event) => {
    element("fault-times").disabled = event.target.checked;
  });
  element("fault-clear").addEventListener("click", async () => showFaults(await call("DELETE", "faults")));
  element("fault-inject").addEventListener("click", async () => {
    const [, , , parameter] = KINDS.find(([value]) => value === kind.value);
    const fault = { kind: kind.value, times: Number(element("fault-times").value) };
    if (element("fault-forever").checked) fault.times = null;
    if (parameter) fault[parameter] = Number(element("fault-number").value);
    const state = await call("POST", "faults", fault);
    element("fault-problem").textContent = state.error ?? "";
    if (!state.error) showFaults(state);
  });
}

export function showFaults({ faults }) {
  const names = new Map(KINDS.map(([value, label]) => [value, label]));
  element("faults-count").hidden = faults.length === 0;
  element("faults-count").textContent = String(faults.length);
  element("fault-clear").disabled = faults.length === 0;
  element("fault-list").replaceChildren(...faults.map((fault) => make("li", {},
    fault.kind === "error" || fault.kind === "html" ? fault.title : names.get(fault.kind) ?? fault.kind,
    make("span", { class: "quiet" }, fault.times === null ? "until removed" : `${fault.times} more`))));
}
