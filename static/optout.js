// Tells the server which presses the browser itself made, and how soon (see flask_optout/presses/judge.py), and looks after
// the focus and what a screen reader hears while htmx changes the page. Without this file everything works.
(function () {
  "use strict";

  var TWICE = 1000; // ms within which a form is not sent again
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

  // The place of ours that a request of htmx is about; a host's own requests are about none.
  function placeOf(event) {
    return event.detail.ctx && event.detail.ctx.optoutPlace;
  }

  function choice(place) {
    return place && place.querySelector(".optout-choice");
  }

  function status(place) {
    return place && place.querySelector(".optout-status");
  }

  function say(place, fault) {
    if (status(place)) status(place).textContent = fault ? status(place).getAttribute("data-fault") : "";
  }

  function on(name, act) {
    document.addEventListener("htmx:" + name, function (event) {
      act(placeOf(event), event);
    });
  }

  // While the event goes down, before any other script can act on it.
  document.addEventListener("click", pressed, true);
  document.addEventListener("submit", submitted, true);

  on("before:request", function (place, event) {
    var around = event.target.closest && event.target.closest(".optout-choice");
    if (!around) return;
    event.detail.ctx.optoutPlace = around.parentNode;
    around.setAttribute("aria-busy", "true");
    say(around.parentNode, false);
  });
  // What a proxy or a broken host answers is no part of this page.
  on("after:request", function (place, event) {
    if (!choice(place) || event.detail.ctx.text.indexOf("optout-choice") >= 0) return;
    event.preventDefault();
    say(place, true);
  });
  on("error", function (place) {
    say(place, true);
  });
  on("finally:request", function (place) {
    if (choice(place)) choice(place).removeAttribute("aria-busy");
  });
  on("after:swap", function (place) {
    // What was done is heard where it stands already, as a region that comes with its words is not.
    var said = choice(place) && choice(place).querySelector(".optout-said");
    if (said && status(place)) status(place).replaceChildren.apply(status(place), Array.from(said.childNodes));
    if (said && status(place)) said.remove();
    var next = choice(place);
    if (next) (next.querySelector(".optout-again") || next.querySelector(".optout-heading") || next).focus();
  });

  // Gone back to, a page that the browser has kept may show what stood before.
  window.addEventListener("pageshow", function (event) {
    if (event.persisted && document.querySelector(".optout-choice")) location.reload();
  });
})();
