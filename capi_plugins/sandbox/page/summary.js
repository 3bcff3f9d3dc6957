// Counts by status and name, and how many events carry each match key.

import { keyName, make } from "./elements.js";

const ALWAYS = ["em", "ph", "external_id", "fbp", "fbc", "client_ip_address", "client_user_agent"];
const TILES = [
  ["accepted", "Accepted"],
  ["duplicate", "Duplicates"],
  ["refused", "Refused"],
  ["warning", "With warnings"],
];

export function hasStatus(event, status) {
  return status === "warning" ? event.warnings.length > 0 : event.status === status;
}

// Keeps elements in place between updates, so that focus and hover survive new events.
function keep(parent, wanted, create) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const key of wanted) {
    const element = known.get(key) ?? create(key);
    element.dataset.key = key;
    known.delete(key);
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
  for (const gone of known.values()) gone.remove();
}

export function showTiles(parent, events, chosen, choose) {
  const names = new Map(TILES);
  keep(parent, [...names.keys()], (status) =>
    make("button", { type: "button", class: `tile tile-${status}`, onclick: () => choose(status) },
      make("span", { class: "tile-number" }), make("span", {}, names.get(status))));
  for (const tile of parent.children) {
    const status = tile.dataset.key;
    const count = events.reduce((sum, event) => sum + (hasStatus(event, status) ? 1 : 0), 0);
    tile.firstElementChild.textContent = count.toLocaleString();
    tile.classList.toggle("is-zero", count === 0);
    tile.setAttribute("aria-pressed", String(chosen === status));
  }
}

export function showNames(parent, events, chosen, choose) {
  const counts = new Map();
  for (const event of events) {
    const name = event.name || "(unnamed)";
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const ordered = [...counts].sort(([a, m], [b, n]) => n - m || a.localeCompare(b)).slice(0, 24);
  if (chosen && !ordered.some(([name]) => name === chosen)) ordered.push([chosen, 0]);
  parent.hidden = ordered.length === 0;
  keep(parent, ordered.map(([name]) => name), (name) =>
    make("button", { type: "button", class: "pill", onclick: () => choose(name) },
      make("span", { class: "pill-name" }, name), make("span", { class: "pill-count" })));
  for (const pill of parent.children) {
    pill.lastElementChild.textContent = (counts.get(pill.dataset.key) ?? 0).toLocaleString();
    pill.setAttribute("aria-pressed", String(chosen === pill.dataset.key));
  }
}

export function showCoverage(parent, events) {
  const accepted = events.filter((event) => event.status === "accepted");
  const counts = new Map(ALWAYS.map((key) => [key, 0]));
  for (const event of accepted) {
    for (const { key } of event.keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const rest = [...counts.keys()].filter((key) => !ALWAYS.includes(key))
    .sort((a, b) => counts.get(b) - counts.get(a)).slice(0, 2);
  keep(parent, [...ALWAYS, ...rest], (key) =>
    make("div", { class: "bar" },
      make("span", { class: "bar-name" }, keyName(key)),
      make("span", { class: "bar-track" }, make("span", { class: "bar-fill" })),
      make("span", { class: "bar-share" })));
  for (const bar of parent.children) {
    const share = accepted.length ? counts.get(bar.dataset.key) / accepted.length : 0;
    const percent = Math.round(share * 100);
    bar.querySelector(".bar-fill").style.width = `${percent}%`;
    bar.querySelector(".bar-share").textContent = accepted.length ? `${percent}%` : "–";
    bar.title = `${bar.dataset.key}: in ${counts.get(bar.dataset.key)} of ${accepted.length} accepted events`;
  }
}
