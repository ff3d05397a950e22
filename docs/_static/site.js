// The theme's arrows that open a part of the sidebar have no name of their own: they get that of the page above.
document.addEventListener("DOMContentLoaded", () => {
  for (const arrow of document.querySelectorAll("nav summary")) {
    const above = arrow.closest("li")?.querySelector("a");
    arrow.setAttribute("aria-label", `Pages below ${above ? above.textContent.trim() : "this one"}`);
  }
});
