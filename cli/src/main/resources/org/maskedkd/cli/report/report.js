// Tells the values under the pointer; the report can be read without it.
document.querySelectorAll('svg.chart[data-box]').forEach(function (chart) {
  var numbers = function (name) { return chart.getAttribute(name).split(' ').map(Number); };
  var box = numbers('data-box'), range = numbers('data-range');
  var out = chart.parentNode.querySelector('.hover');
  var value = function (at, from, to, low, high) { return low + (at - from) / (to - from) * (high - low); };
  chart.addEventListener('pointermove', function (event) {
    var area = chart.getBoundingClientRect();
    var at = (event.clientX - area.left) / area.width * chart.viewBox.baseVal.width;
    var words = [], where = '';
    chart.querySelectorAll('.line').forEach(function (line) {
      var best = null;
      Array.from(line.points).forEach(function (point) {
        if (best === null || Math.abs(best.x - at) > Math.abs(point.x - at)) { best = point; }
      });
      where = value(best.x, box[0], box[1], range[0], range[1]).toFixed(0);
      words.push(line.getAttribute('data-name') + ' ' + value(best.y, box[2], box[3], range[2], range[3]).toPrecision(4));
    });
    out.textContent = where + ': ' + words.join(' · ');
  });
  chart.addEventListener('pointerleave', function () { out.textContent = ''; });
});
