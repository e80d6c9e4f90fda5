"use strict";
for (const button of document.querySelectorAll("button[data-copies]")) {
  const field = document.getElementById(button.dataset.copies);
  const status = document.getElementById(button.dataset.copies + "-status");
  button.hidden = false;
  button.addEventListener("click", async () => {
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      button.textContent = status.textContent = button.dataset.copied;
      status.className = "optout-unseen";
    } catch {
      // Without https, or without leave, there is no clipboard; the field stays selected.
      status.textContent = button.dataset.refused;
      status.className = "";
    }
  });
}
