// Light, dark, or as the system is. A script of the old kind, so that it runs before the first paint.
{
  const NEXT = { system: "light", light: "dark", dark: "system" };
  const WORDS = { system: "as the system", light: "light", dark: "dark" };
  const SIGNS = { system: "◐", light: "☀", dark: "☾" };
  const PLACE = "piecework.theme";
  const root = document.documentElement;

  const kept = () => {
    const theme = localStorage.getItem(PLACE);
    return Object.hasOwn(NEXT, theme ?? "") ? theme : "system";
  };

  const apply = (theme) => {
    root.dataset.theme = theme;
    const button = document.getElementById("theme");
    if (!button) return;
    button.textContent = SIGNS[theme];
    const label = `Theme: ${WORDS[theme]}. Change to ${WORDS[NEXT[theme]]}`;
    button.setAttribute("aria-label", label);
    button.title = label;
  };

  apply(kept());
  document.addEventListener("DOMContentLoaded", () => {
    apply(kept());
    document.getElementById("theme").addEventListener("click", () => {
      const theme = NEXT[kept()];
      localStorage.setItem(PLACE, theme);
      apply(theme);
    });
  });
}
