// Local times and a countdown. Everything works without this.
'use strict';

for (const time of document.querySelectorAll('time')) {
  const at = new Date(time.dateTime);
  if (Number.isNaN(at.getTime())) continue;
  time.textContent = at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
}

const spans = document.querySelectorAll('[data-left]');
if (spans.length > 0) {
  // told to screen readers when these many seconds are passed, in the words of that moment: it may be a later one
  const told = [60, 20, 0];
  const status = document.createElement('p');
  status.className = 'unseen';
  status.setAttribute('role', 'status');
  document.body.append(status);

  const opened = performance.now();
  const unit = (n, name) => `${n} ${name}${n === 1 ? '' : 's'}`;
  const words = (left) => {
    if (left <= 0) return 'time is up';
    const parts = [[Math.floor(left / 60), 'minute'], [left % 60, 'second']];
    return `${parts.filter(([n]) => n > 0).map(([n, name]) => unit(n, name)).join(' ')} left`;
  };
  const before = new Map([...spans].map((span) => [span, Number(span.dataset.left)]));
  const tick = () => {
    const passed = Math.floor((performance.now() - opened) / 1000);
    for (const span of spans) {
      const left = Number(span.dataset.left) - passed;
      span.textContent = words(left);
      if (told.some((limit) => before.get(span) > limit && left <= limit)) status.textContent = words(left);
      before.set(span, left);
    }
  };
  tick();
  setInterval(tick, 1000);
}
