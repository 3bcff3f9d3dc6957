// Builds elements. Payloads are untrusted: text only ever enters through textContent.

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

const KEY_NAMES = { client_ip_address: "ip", client_user_agent: "agent" };

export function keyName(key) {
  return KEY_NAMES[key] ?? key;
}

export function keyChip({ key, hashed, must_hash: mustHash }) {
  const state = mustHash ? (hashed ? "hashed" : "bare") : "plain";
  const meaning = {
    hashed: "hashed",
    bare: "not hashed, although Meta wants it hashed",
    plain: "sent as it is, as Meta wants it",
  }[key === "external_id" && state === "bare" ? "plain" : state];
  const look = key === "external_id" && state === "bare" ? "plain" : state;
  return make("span", { class: `chip chip-${look}`, title: `${key}: ${meaning}` }, keyName(key));
}

export function badge(event) {
  return make("span", { class: `badge badge-${event.status}` }, STATUS_NAMES[event.status]);
}

export const STATUS_NAMES = { accepted: "Accepted", duplicate: "Duplicate", refused: "Refused" };

export function clock(seconds, withDate = false) {
  const date = new Date(seconds * 1000);
  const time = date.toLocaleTimeString(undefined, { hour12: false });
  return withDate ? `${date.toLocaleDateString()} ${time}` : time;
}

export function money(value, currency) {
  if (value === null || value === undefined || value === "") return "";
  const number = Number(value);
  if (Number.isFinite(number) && typeof currency === "string") {
    try {
      return new Intl.NumberFormat(undefined, { style: "currency", currency }).format(number);
    } catch {
      // not a currency: shown as it came
    }
  }
  const shown = typeof value === "object" ? JSON.stringify(value) : String(value);
  return typeof currency === "string" ? `${shown} ${currency}` : shown;
}

export function codeOf(refusal) {
  if (!refusal.code) return "fault";
  return refusal.subcode ? `${refusal.code} / ${refusal.subcode}` : String(refusal.code);
}

export async function copy(text, button) {
  let done = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    done = false;
  }
  const before = button.textContent;
  button.textContent = done ? "Copied" : "Select and copy";
  setTimeout(() => { button.textContent = before; }, 1500);
}
