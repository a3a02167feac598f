// Comfort only: every page works without it.
"use strict";

// Buttons that copy the text beside them; the button exists only where the browser can copy.
for (const source of document.querySelectorAll("[data-copy]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "outline secondary small";
  button.textContent = "Copy";
  button.setAttribute("aria-label", "Copy " + source.dataset.copy);
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(source.textContent.trim());
    button.textContent = "Copied";
  });
  source.after(button);
}

// A part of the page that is still changing asks for itself again until it is done.
async function refresh(part) {
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById(part.id);
  if (!fresh) return;
  part.replaceWith(fresh);
  if (fresh.dataset.refresh) setTimeout(refresh, Number(fresh.dataset.refresh), fresh);
}
for (const part of document.querySelectorAll("[data-refresh]")) {
  setTimeout(refresh, Number(part.dataset.refresh), part);
}
