// Tells the server which presses the browser itself made, and how soon. Without this file everything works; see
// flask_optout/press.py.
(function () {
  "use strict";

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
    var button = event.target.closest && event.target.closest("button[name=choice]");
    if (!button) return;
    fill(button.form, "scripts", event.isTrusted ? "trusted" : "ran");
    fill(button.form, "seen", sincePaint(event));
  }

  function sent(event) {
    var field = event.target.elements.namedItem("scripts");
    if (field && field.value === "") field.value = "ran";
  }

  // While the event goes down, before any other script can act on it.
  document.addEventListener("click", pressed, true);
  document.addEventListener("submit", sent, true);

  document.addEventListener("htmx:after:swap", function () {
    var again = document.getElementById("optout-again");
    if (again) again.focus();
  });
})();
