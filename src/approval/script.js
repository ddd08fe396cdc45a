// Local times and a countdown. Everything works without this.
'use strict';

for (const time of document.querySelectorAll('time')) {
  const at = new Date(time.dateTime);
  if (Number.isNaN(at.getTime())) continue;
  time.textContent = at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
}

const spans = document.querySelectorAll('[data-left]');
if (spans.length > 0) {
  // told to screen readers at these seconds alone, each once
  const warnings = [[0, 'Time is up'], [20, '20 seconds left'], [60, 'One minute left']];
  let told = Infinity;
  const status = document.createElement('p');
  status.className = 'unseen';
  status.setAttribute('role', 'status');
  document.body.append(status);

  const opened = performance.now();
  const unit = (n, name) => `${n} ${name}${n === 1 ? '' : 's'}`;
  const words = (left) => {
    if (left <= 0) return 'time is up';
    const minutes = Math.floor(left / 60);
    const seconds = left % 60;
    return minutes === 0 ? unit(seconds, 'second') : `${unit(minutes, 'minute')} ${unit(seconds, 'second')}`;
  };
  const tick = () => {
    const passed = Math.floor((performance.now() - opened) / 1000);
    for (const span of spans) {
      const left = Number(span.dataset.left) - passed;
      span.textContent = left <= 0 ? words(0) : `${words(left)} left`;
      const due = warnings.find(([limit]) => left <= limit);
      if (due !== undefined && due[0] < told) [told, status.textContent] = due;
    }
  };
  tick();
  setInterval(tick, 1000);
}
