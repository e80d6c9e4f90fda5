// Tells the server which presses the browser itself made, and how soon (see flask_optout/presses/evidence.py), and looks after
// the focus and what a screen reader hears while htmx changes the page. Without this file everything works.
(function () {
  "use strict";

  var TWICE = 1000; // ms within which a form is not sent again
  var LONG = 1000; // ms of waiting after which that is said
  var SOON = 150; // ms after the focus has moved, as what is said at once is lost in what it has moved to
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

  // Seen, too, where a page is enlarged so much that it stands above what is in sight.
  function say(place, what) {
    if (!status(place)) return;
    status(place).textContent = what ? status(place).getAttribute("data-" + what) : "";
    if (what) status(place).scrollIntoView({ block: "nearest" });
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
    say(around.parentNode);
    event.detail.ctx.optoutWait = setTimeout(say, LONG, around.parentNode, "wait");
  });
  // What a proxy or a broken host answers is no part of this page.
  on("after:request", function (place, event) {
    if (!choice(place) || event.detail.ctx.text.indexOf("optout-choice") >= 0) return;
    event.preventDefault();
    say(place, "fault");
  });
  on("error", function (place) {
    say(place, "fault");
  });
  on("finally:request", function (place, event) {
    clearTimeout(place && event.detail.ctx.optoutWait);
    if (choice(place)) choice(place).removeAttribute("aria-busy");
  });
  on("after:swap", function (place, event) {
    var next = choice(place), said = next && next.querySelector(".optout-said");
    clearTimeout(place && event.detail.ctx.optoutWait);
    say(place);
    if (next) (next.querySelector(".optout-again") || next.querySelector(".optout-heading") || next).focus();
    if (!said || !status(place)) return;
    // What was done is heard where it stands already, as a region that comes with its words is not.
    said.remove();
    setTimeout(function () {
      status(place).replaceChildren.apply(status(place), Array.from(said.childNodes));
      status(place).scrollIntoView({ block: "nearest" });
    }, SOON);
  });

  // Gone back to, a page that the browser has kept may show what stood before.
  window.addEventListener("pageshow", function (event) {
    if (event.persisted && document.querySelector(".optout-choice")) location.reload();
  });
})();
