// In a closed frame: tell the page around it how high the frame should be.
new ResizeObserver(() => parent.postMessage({ height: document.body.getBoundingClientRect().height }, "*"))
  .observe(document.body);
