// Numbers, sizes and times as an operator reads them.

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', { maximumFractionDigits: 1, minimumFractionDigits: 1 });

/** A count. */
export const count = (n) => (Number.isFinite(n) ? whole.format(n) : '–');

/** A rate or a mean: a decimal where it is small. */
export function rate(n) {
  if (!Number.isFinite(n)) return '–';
  if (n === 0) return '0';
  if (n < 0.05) return '<0.1';
  return n < 9.95 ? short.format(n) : whole.format(n);
}

/** A size in bytes. */
export function bytes(n) {
  if (!Number.isFinite(n)) return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (n >= 1024 && unit < units.length - 1) {
    n /= 1024;
    unit++;
  }
  return `${unit === 0 || n >= 99.95 ? whole.format(n) : short.format(n)} ${units[unit]}`;
}

/** Microseconds as a number and its unit. */
export function micros(us) {
  if (!Number.isFinite(us)) return ['–', ''];
  if (us < 1000) return [us < 9.95 ? short.format(us) : whole.format(us), 'µs'];
  if (us < 1e6) return [us < 99950 ? short.format(us / 1000) : whole.format(us / 1000), 'ms'];
  return [short.format(us / 1e6), 's'];
}

/** The same in one text. */
export const microsText = (us) => micros(us).join(' ').trim();

/** A duration in seconds: its two largest units. */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return '–';
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return s % 60 && s < 600 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

const clockFormat = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
const dayFormat = new Intl.DateTimeFormat('en', { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });

/** A moment of today as a clock shows it, of another day with its date. Takes what Date takes. */
export function clock(when) {
  const date = new Date(when);
  if (Number.isNaN(date.getTime())) return '–';
  return date.toDateString() === new Date().toDateString() ? clockFormat.format(date) : dayFormat.format(date);
}

/** "1 message", "2 messages". */
export const several = (n, word) => `${count(n)} ${word}${n === 1 ? '' : 's'}`;
