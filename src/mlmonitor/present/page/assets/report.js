// Filters the fields, copies tables, and opens everything for the printer. The report needs none of it.
"use strict";

const filter = document.getElementById("filter");
filter.parentElement.hidden = false;
filter.addEventListener("input", () => {
  const needle = filter.value.trim().toLowerCase();
  for (const row of document.querySelectorAll("[data-name]")) row.hidden = !row.dataset.name.includes(needle);
});

function toCsv(table) {
  const quote = (text) => `"${(/^[=+@\t\r]|^-[^\d]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
  return [...table.rows].map((row) => [...row.cells].map((cell) => quote(cell.textContent.trim())).join(",")).join("\r\n");
}

for (const button of document.querySelectorAll("[data-copy]")) button.hidden = !navigator.clipboard;
document.addEventListener("click", async (event) => {
  const copy = event.target.closest("[data-copy]");
  if (!copy) return;
  await navigator.clipboard.writeText(toCsv(copy.closest("details").querySelector("table")));
  copy.textContent = "Copied";
});
