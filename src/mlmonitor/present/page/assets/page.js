// Asks for one snapshot every few seconds, and replaces the parts that changed. Without this script
// the page is complete, and links and forms load it again.
"use strict";

const base = document.body.dataset.base;
const seconds = Number(document.body.dataset.refresh);
const form = document.getElementById("choice");
const dialog = document.getElementById("detail");
const live = document.getElementById("live");
let tag = "";
let timer = 0;
let running = null;
let failures = 0;
let opener = "";

document.body.classList.add("scripted");

function show(parts) {
  for (const [name, html] of Object.entries(parts)) {
    const part = document.getElementById(`part-${name}`);
    if (!part || part.last === html) continue;
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    const opened = [...part.querySelectorAll("details[open][id]")].map((item) => item.id);
    const closed = [...part.querySelectorAll("details:not([open])[id]")].map((item) => item.id);
    part.innerHTML = html; // the server escapes every name
    part.last = html;
    for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
    for (const id of closed) document.getElementById(id)?.removeAttribute("open");
    if (focused) document.getElementById(focused)?.focus();
    offerCopies(part);
  }
  for (const name of ["challengers", "kpis", "why"]) document.getElementById(name).hidden = !parts[name];
}

async function refresh() {
  clearTimeout(timer);
  running?.abort();
  const own = (running = new AbortController());
  try {
    const headers = tag ? { "If-None-Match": tag } : {};
    const answer = await fetch(`${base}snapshot.json${location.search}`, { headers, cache: "no-store", signal: own.signal });
    if (answer.status === 200) {
      const snapshot = await answer.json();
      tag = answer.headers.get("ETag") ?? "";
      document.title = snapshot.title;
      show(snapshot.parts);
      showDetail(snapshot.parts.field);
    } else if (answer.status !== 304) {
      throw new Error(`status ${answer.status}`);
    }
    if (failures) live.textContent = "";
    failures = 0;
  } catch (error) {
    if (error.name === "AbortError") return;
    failures += 1;
    if (failures === 2) live.textContent = "The service does not answer; these are its last numbers.";
  }
  if (own === running && !document.hidden) timer = setTimeout(refresh, seconds * 1000 * Math.min(1 + failures, 10));
}

function choose(change) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(change)) {
    if (value) query.set(name, value);
    else query.delete(name);
  }
  history.replaceState(null, "", `${location.pathname}${query.size ? `?${query}` : ""}`);
  tag = "";
  return refresh();
}

function showDetail(html) {
  if (html && !dialog.matches(":modal")) {
    dialog.removeAttribute("open");
    dialog.showModal();
  } else if (!html && dialog.open) {
    dialog.close();
  }
}

function offerCopies(part) {
  for (const button of part.querySelectorAll("[data-copy]")) button.hidden = !navigator.clipboard;
}

function toCsv(table) {
  const quote = (text) => `"${(/^[=+@\t\r]|^-[^\d]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
  return [...table.rows].map((row) => [...row.cells].map((cell) => quote(cell.textContent.trim())).join(",")).join("\r\n");
}

document.addEventListener("click", async (event) => {
  const plain = !(event.ctrlKey || event.metaKey || event.shiftKey || event.button);
  const field = event.target.closest("a[data-field]");
  const unfold = event.target.closest("a[data-unfold]");
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    await navigator.clipboard.writeText(toCsv(copy.closest("details").querySelector("table")));
    copy.textContent = "Copied";
  } else if (field && plain) {
    event.preventDefault();
    opener = field.id;
    await choose({ field: field.dataset.field });
  } else if (unfold && plain) {
    event.preventDefault();
    await choose({ all: "1" });
    document.querySelector("#part-fields a")?.focus();
  }
});

let typing = 0;
form.addEventListener("input", (event) => {
  clearTimeout(typing);
  typing = setTimeout(() => choose({ [event.target.name]: event.target.value }), event.target.type === "search" ? 150 : 0);
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const { q, sort, segment } = form.elements;
  choose({ q: q.value, sort: sort.value, segment: segment?.value ?? "" });
});
dialog.querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  dialog.close();
});
dialog.addEventListener("close", () => {
  if (!new URLSearchParams(location.search).has("field")) return;
  const id = opener;
  choose({ field: "" }).then(() => document.getElementById(id)?.focus());
});
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});
document.addEventListener("keydown", (event) => {
  const isTyping = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
  if (event.key === "/" && !isTyping && !dialog.open) {
    event.preventDefault();
    form.elements.q.focus();
  }
  if (!isTyping && !dialog.open && (event.key === "j" || event.key === "k")) {
    const links = [...document.querySelectorAll("#part-fields th a")];
    const place = links.indexOf(document.activeElement) + (event.key === "j" ? 1 : -1);
    links[Math.max(0, Math.min(place, links.length - 1))]?.focus();
  }
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh();
});

offerCopies(document);
if (new URLSearchParams(location.search).has("field")) showDetail("open");
timer = setTimeout(refresh, seconds * 1000);
