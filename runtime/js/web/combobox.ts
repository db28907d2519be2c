/** The search field with its list, after the ARIA pattern of a combobox: arrows, Enter, Escape. */
import type { Found } from "./search.ts";

export function combobox(
  input: HTMLInputElement, list: HTMLUListElement, find: (query: string) => Found[], choose: (item: Found) => void,
): void {
  let found: Found[] = [];
  let active = 0;

  function show(): void {
    list.replaceChildren(
      ...found.map((item, index) => {
        const option = document.createElement("li");
        option.id = `found-${index}`;
        option.role = "option";
        option.textContent = item.name;
        option.ariaSelected = String(index === active);
        option.addEventListener("pointerdown", (event) => {
          event.preventDefault(); // the field keeps the focus
          take(index);
        });
        return option;
      }),
    );
    const open = found.length > 0;
    list.hidden = !open;
    input.ariaExpanded = String(open);
    if (open) input.setAttribute("aria-activedescendant", `found-${active}`);
    else input.removeAttribute("aria-activedescendant");
  }

  function close(): void {
    found = [];
    show();
  }

  function take(index: number): void {
    const item = found[index];
    input.value = "";
    close();
    if (item) choose(item);
  }

  input.addEventListener("input", () => {
    found = find(input.value);
    active = 0;
    show();
  });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
    if (found.length === 0) return;
    if (event.key === "Enter") take(active);
    else if (event.key === "ArrowDown") active = (active + 1) % found.length;
    else if (event.key === "ArrowUp") active = (active + found.length - 1) % found.length;
    else return;
    event.preventDefault();
    show();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== input) {
      event.preventDefault();
      input.focus();
    }
  });
}
