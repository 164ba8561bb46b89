/** Light or dark: as the system has it, until the button says otherwise. */

/** The button that turns it around; `turned` is called after any change. */
export function themeButton(button: HTMLButtonElement, turned: () => void): void {
  const system = matchMedia('(prefers-color-scheme: dark)');
  let dark = system.matches;
  const show = (): void => {
    document.documentElement.dataset.theme = dark ? 'dark' : 'light';
    button.setAttribute('aria-pressed', String(dark));
    turned();
  };
  button.addEventListener('click', () => {
    dark = !dark;
    show();
  });
  system.addEventListener('change', ({ matches }) => {
    dark = matches;
    show();
  });
  show();
}
