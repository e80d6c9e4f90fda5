// Tells the server which presses the browser itself made, and how soon (see flask_optout/presses/judge.py), and looks after
// the focus and what a screen reader hears while htmx changes the page. Without this file everything works.
(function () {
  "use strict";

  var TWICE = 1000; // ms within which a form is not sent again
  var place = null; // around what was pressed last
  var sent = { form: null, at: 0 };

  function fill(form, name, value) {
    var field = form && form.elements.namedItem(name);
    if (field) field.value = value;
  }

  // Milliseconds since there was something to see.
  function sincePaint(event) {
    var paint = window.performance && performance.getEntriesByName && performance.getEntriesByName("first-contentful-paint")[0];
    return paint ? Math.round(event.timeStamp - paint.startTime) : "";
  }

  function pressed(event) {
    var button = event.target.closest && event.target.closest(".optout-choice button[name]");
    if (!button) return;
    fill(button.form, "scripts", event.isTrusted ? "trusted" : "ran");
    fill(button.form, "seen", sincePaint(event));
  }

  function submitted(event) {
    var field = event.target.elements.namedItem("scripts");
    if (!field) return;
    if (field.value === "") field.value = "ran";
    if (sent.form === event.target && event.timeStamp - sent.at < TWICE) event.preventDefault();
    else sent = { form: event.target, at: event.timeStamp };
  }

  function choice() {
    return place && place.querySelector(".optout-choice");
  }

  function status() {
    return place && place.querySelector(".optout-status");
  }

  function say(fault) {
    if (status()) status().textContent = fault ? status().getAttribute("data-fault") : "";
  }

  function on(name, act) {
    document.addEventListener("htmx:" + name, act);
  }

  // While the event goes down, before any other script can act on it.
  document.addEventListener("click", pressed, true);
  document.addEventListener("submit", submitted, true);

  on("before:request", function (event) {
    var around = event.target.closest && event.target.closest(".optout-choice");
    place = around && around.parentNode;
    if (!around) return;
    around.setAttribute("aria-busy", "true");
    say(false);
  });
  // What a proxy or a broken host answers is no part of this page.
  on("after:request", function (event) {
    if (!choice() || event.detail.ctx.text.indexOf("optout-choice") >= 0) return;
    event.preventDefault();
    say(true);
  });
  on("error", function () {
    say(true);
  });
  on("finally:request", function () {
    if (choice()) choice().removeAttribute("aria-busy");
  });
  on("after:swap", function () {
    // What was done is heard where it stands already, as a region that comes with its words is not.
    var said = choice() && choice().querySelector(".optout-said");
    if (said && status()) status().replaceChildren.apply(status(), Array.from(said.childNodes));
    if (said && status()) said.remove();
    var next = choice() && (choice().querySelector(".optout-again, .optout-heading") || choice());
    if (next) next.focus();
  });

  // Gone back to, a page that the browser has kept may show what stood before.
  window.addEventListener("pageshow", function (event) {
    if (event.persisted && document.querySelector(".optout-choice")) location.reload();
  });
})();
