// Light, dark, or as the system has it. Not a module: it runs before the page is
// drawn, so that nothing flashes.
(() => {
  const order = ['system', 'light', 'dark'];
  const place = 'stratix.theme';
  const stored = () => {
    try { return localStorage.getItem(place); } catch { return null; } // a browser may forbid it
  };
  let theme = order.includes(stored()) ? stored() : 'system';
  const put = () => { document.documentElement.dataset.theme = theme; };
  put();
  document.addEventListener('DOMContentLoaded', () => {
    const name = document.getElementById('theme-name');
    name.textContent = theme;
    document.getElementById('theme').addEventListener('click', () => {
      theme = order[(order.indexOf(theme) + 1) % order.length];
      put();
      name.textContent = theme;
      try { localStorage.setItem(place, theme); } catch { /* it holds for this page then */ }
    });
  });
})();
