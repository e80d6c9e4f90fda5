// Writes into the form whether the browser or a script pressed the button, and how soon (see
// flask_optout/presses/evidence.py). When htmx changes the page, moves the focus, and puts the result where a screen
// reader reads it out. Everything works without this file.
(function () {
  "use strict";

  var TWICE = 1000; // ms within which a form is not sent again
  var LONG = 1000; // ms after which a message asks to wait
  var SOON = 150; // ms between moving the focus and a message: a screen reader would skip one that comes at once
  var sent = { form: null, at: 0 };

  function fill(form, name, value) {
    var field = form && form.elements.namedItem(name);
    if (field) field.value = value;
  }

  // Milliseconds since the page was first painted.
  function sincePaint(event) {
    var paint = window.performance && performance.getEntriesByName && performance.getEntriesByName("first-contentful-paint")[0];
    return paint ? Math.round(event.timeStamp - paint.startTime) : "";
  }

  function pressed(event) {
    var button = event.target.closest && event.target.closest(".optout-choice button[name]");
    if (!button) return;
    // The second half of a double click: it may hit what the first half has brought about.
    if (event.detail > 1) {
      event.preventDefault();
      event.stopPropagation();
      return;
    }
    fill(button.form, "scripts", event.isTrusted ? "trusted" : "ran");
    fill(button.form, "seen", sincePaint(event));
  }

  function submitted(event) {
    var field = event.target.closest(".optout-choice") && event.target.elements.namedItem("scripts");
    if (!field) return;
    // No other script may disable the button that was pressed, as many do: the form would come without it.
    event.stopPropagation();
    if (field.value === "") field.value = "ran";
    if (sent.form === event.target && event.timeStamp - sent.at < TWICE) event.preventDefault();
    else sent = { form: event.target, at: event.timeStamp };
  }

  // Our element that an htmx request changes; undefined for the host's own requests.
  function placeOf(event) {
    return event.detail.ctx && event.detail.ctx.optoutPlace;
  }

  function choice(place) {
    return place && place.querySelector(".optout-choice");
  }

  function status(place) {
    return place && place.querySelector(".optout-status");
  }

  // Shows a message in the status region, and scrolls to it: on an enlarged page it may be out of sight.
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

  // In the capture phase, before any other script handles the event.
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
  // Keep the answer of a proxy or of a broken host out of the page.
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
    // Into the status region that is there already: screen readers do not read out a region that arrives with its text.
    said.remove();
    setTimeout(function () {
      status(place).replaceChildren.apply(status(place), Array.from(said.childNodes));
      status(place).scrollIntoView({ block: "nearest" });
    }, SOON);
  });

  // After "Back", the browser may show a page from its cache, with an outdated choice.
  window.addEventListener("pageshow", function (event) {
    if (event.persisted && document.querySelector(".optout-choice")) location.reload();
  });
})();
