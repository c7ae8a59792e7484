/** The switch between light, dark, and what the system has. */
import { make } from "../element/make.ts";

const themes = ["system", "light", "dark"] as const;
const titles = { system: "System", light: "Light", dark: "Dark" };
const key = "mlx-ts studio theme";

/** The switch; the choice is kept in the browser. */
export function makeThemeSwitch(): HTMLElement {
  const chosen = localStorage.getItem(key) ?? "system";
  const options = themes.map((theme) => {
    const input = make("input", { type: "radio", name: "theme", value: theme, checked: theme === chosen });
    input.addEventListener("change", () => {
      localStorage.setItem(key, theme);
      apply(theme);
    });
    return make("label", {}, input, titles[theme]);
  });
  apply(chosen);
  return make("fieldset", {}, make("legend", {}, "Theme"), ...options);
}

function apply(theme: string): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}
