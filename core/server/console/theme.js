// Light, dark, or as the system has it. Not a module: it runs before the page is
// drawn, so that nothing flashes.
(() => {
  const words = { auto: 'Theme: system', light: 'Theme: light', dark: 'Theme: dark' };
  const order = ['auto', 'light', 'dark'];
  const place = 'stratix.theme';
  const stored = () => {
    try { return localStorage.getItem(place); } catch { return null; } // a browser may forbid it
  };
  let theme = order.includes(stored()) ? stored() : 'auto';
  const put = () => { document.documentElement.dataset.theme = theme; };
  put();
  document.addEventListener('DOMContentLoaded', () => {
    const button = document.getElementById('theme');
    button.textContent = words[theme];
    button.addEventListener('click', () => {
      theme = order[(order.indexOf(theme) + 1) % order.length];
      put();
      button.textContent = words[theme];
      try { localStorage.setItem(place, theme); } catch { /* it holds for this page then */ }
    });
  });
})();
