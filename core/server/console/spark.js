// A line of the last minutes, drawn by hand. The numbers stand beside it as text.
import { svg } from './dom.js';

const width = 240;
const height = 40;
const gap = 3500; // milliseconds without a sample: the line is not drawn over them

/** A line of samples [time in ms, value] within the last span ms. Draw it with its method draw. */
export function spark(span) {
  const area = svg('path', { class: 'area' });
  const line = svg('path', { class: 'line' });
  const root = svg('svg', { class: 'spark', viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', 'aria-hidden': 'true', focusable: 'false' },
    svg('path', { class: 'base', d: `M0 ${height - 0.5}H${width}` }), area, line);
  return {
    root,
    /** Draws the samples; now is where the line ends. Returns the largest value. */
    draw(samples, now) {
      let top = 0;
      for (const [, value] of samples) top = Math.max(top, value);
      const x = (time) => Math.max(0, width * (1 - (now - time) / span)).toFixed(1);
      const y = (value) => (height - 1 - (height - 4) * (top > 0 ? value / top : 0)).toFixed(1);
      let strokes = '';
      let fills = '';
      let start = null;
      samples.forEach(([time, value], i) => {
        const before = samples[i - 1];
        const goesOn = before && time - before[0] <= gap;
        if (!goesOn) start = x(time);
        strokes += `${goesOn ? 'L' : 'M'}${x(time)} ${y(value)}`;
        fills += goesOn ? `L${x(time)} ${y(value)}` : `M${start} ${height}L${x(time)} ${y(value)}`;
        const next = samples[i + 1];
        if (!next || next[0] - time > gap) fills += `L${x(time)} ${height}Z`;
      });
      line.setAttribute('d', strokes);
      area.setAttribute('d', fills);
      return top;
    },
  };
}
