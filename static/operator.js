"use strict";
// Copies URLs, opens an invitation beside the list, and handles keys. Everything works without this file.
(function () {
  const WIDE = matchMedia("(min-width: 64rem)"); // the invitation stands beside the list; see operator.css
  const OFF = "optout-keys-off";
  const pane = document.getElementById("log-entry");
  const keys = document.querySelector(".optout-keys");

  const rows = () => [...document.querySelectorAll("a[data-row]")];
  const current = () => rows().find((row) => row.getAttribute("aria-current"));
  const isOpen = () => pane && pane.childElementCount > 0;
  let shown = null; // the URL of the invitation in the pane

  function mark(row) {
    for (const each of rows()) each.toggleAttribute("aria-current", false);
    row.setAttribute("aria-current", "true");
  }

  async function open(row, focus) {
    mark(row);
    shown = row.href;
    await htmx.ajax("GET", row.href, { target: pane, swap: "innerHTML" });
    if (!shown) pane.replaceChildren(); // the list has changed meanwhile
    if (shown !== row.href) return;
    pane.scrollTop = 0;
    if (focus && isOpen()) pane.querySelector("h1").focus();
  }

  function close() {
    pane.replaceChildren();
    shown = null;
    (current() || document.getElementById("q")).focus();
  }

  function step(by) {
    const all = rows();
    const at = all.findIndex((row) => row === document.activeElement || row.getAttribute("aria-current"));
    const next = all[at < 0 ? 0 : at + by];
    if (!next) return;
    mark(next);
    next.focus();
    if (isOpen()) open(next, false);
  }

  async function copy(button) {
    const field = document.getElementById(button.dataset.copies);
    const status = document.getElementById(button.dataset.copies + "-status");
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      button.textContent = status.textContent = button.dataset.copied;
      status.className = "optout-unseen";
    } catch {
      // Without https or a permission there is no clipboard; the field stays selected.
      status.textContent = button.dataset.refused;
      status.className = "";
    }
  }

  // After a new list has arrived, close the invitation beside it unless the list has it: otherwise an operator might
  // read, or send again, the wrong person's.
  function match() {
    for (const each of document.querySelectorAll(".optout-saved [aria-current]")) each.removeAttribute("aria-current");
    if (!shown) return;
    const row = rows().find((each) => each.href === shown);
    if (row) return mark(row);
    pane.replaceChildren();
    shown = null;
  }

  function ready() {
    for (const button of document.querySelectorAll("button[data-copies]")) button.hidden = false;
    for (const table of document.querySelectorAll(".optout-log[hidden]")) table.hidden = !table.querySelector("[data-row]");
    for (const none of document.querySelectorAll(".optout-none")) none.hidden = rows().length > 0;
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-copies]");
    if (button) copy(button);
    const row = event.target.closest("a[data-row]");
    if (!row || !pane || !WIDE.matches || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(row, true);
  });

  // Do not search with an incomplete or impossible date.
  document.addEventListener("htmx:before:request", (event) => {
    const form = event.target.closest(".optout-filter");
    if (form && !form.checkValidity()) event.preventDefault();
  });

  // Open an answer that is not a list, such as a login page or an error, as a page.
  document.addEventListener("htmx:before:response", (event) => {
    const { target, request, response } = event.detail.ctx;
    if (!pane || (response.raw.ok && !response.raw.redirected)) return;
    if (target.id === "log-entries") location.assign(request.action);
    if (target.id === "log-entries" || target.id === "log-new") event.preventDefault();
  });

  const back = document.getElementById("log-back"); // from an invitation's own page to its list
  document.addEventListener("keydown", (event) => {
    if (back && event.key === "Escape" && !event.isComposing) return back.click();
    if (!pane || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Escape" && isOpen()) {
      event.preventDefault(); // or Esc would also empty the search field
      return close();
    }
    if (event.target.closest("input, select, textarea") || localStorage.getItem(OFF)) return;
    if (event.key === "/") {
      const field = document.getElementById("q");
      field.select();
      field.scrollIntoView({ block: "nearest" });
    }
    else if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
    else return;
    event.preventDefault();
  });

  if (keys) {
    const box = keys.querySelector("input");
    keys.hidden = false;
    box.checked = !localStorage.getItem(OFF);
    box.addEventListener("change", () => (box.checked ? localStorage.removeItem(OFF) : localStorage.setItem(OFF, "1")));
  }
  // When new rows arrive above, keep the row that is being read in its place.
  let place = null;
  document.addEventListener("htmx:before:swap", (event) => {
    const row = rows().find((each) => each.getBoundingClientRect().top > 0);
    place = event.target.id === "log-new" && scrollY > 0 && row ? { row, top: row.getBoundingClientRect().top } : null;
  });
  document.addEventListener("htmx:after:swap", (event) => {
    ready();
    if (event.detail.ctx.target.id === "log-entries") match();
    if (place) scrollBy(0, place.row.getBoundingClientRect().top - place.top);
    place = null;
    // Focus the message about what was done or went wrong, so that it is in sight and read out.
    const said = event.target.querySelector && event.target.querySelector(".optout-resend [tabindex]");
    if (said) said.focus();
  });
  // The message about what was done is shown once: take it out of the URL, which may be passed on.
  const here = new URL(location.href);
  if (here.searchParams.has("done")) {
    here.searchParams.delete("done");
    history.replaceState(history.state, "", here);
  }
  ready();
})();
