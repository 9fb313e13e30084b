// Puts TensorBoard in the page, by the way on which it answers, and says what to do where it does not.
(() => {
  const SECONDS_TO_ANSWER = 5;
  const config = document.getElementById("jupyter-config-data");
  const base = config ? JSON.parse(config.textContent).baseUrl : undefined;
  const isSameMachine =
    location.protocol === "vscode-webview:" || ["127.0.0.1", "localhost", "[::1]"].includes(location.hostname);

  const element = (name, properties) => Object.assign(document.createElement(name), properties);

  // Its random prefix tells it from whatever else has its port by now.
  const answers = async (address) => {
    try {
      return (await fetch(`${address}here`, { signal: AbortSignal.timeout(1000 * SECONDS_TO_ANSWER) })).ok;
    } catch {
      return false;
    }
  };

  const addresses = ({ port, prefix }) => [
    ...(isSameMachine ? [`http://127.0.0.1:${port}${prefix}/`] : []),
    ...(base ? [new URL(`${base}proxy/${port}${prefix}/`, location.href).href] : []),
  ];

  const fill = async (place) => {
    const board = JSON.parse(place.dataset.board);
    delete place.dataset.board;
    for (const address of addresses(board)) {
      if (await answers(address)) {
        const src = address + board.query;
        const link = element("a", { href: src, target: "_blank", rel: "noopener", textContent: "Open in a tab of its own" });
        const frame = element("iframe", { src, title: board.title });
        frame.style.cssText = "display: block; width: 100%; height: 720px; border: 1px solid #8888; margin: 6px 0";
        place.replaceChildren(frame, link);
        return;
      }
    }
    if (base) place.replaceChildren(element("p", { role: "status", textContent: board.unreached }));
  };

  document.querySelectorAll(".mltrain-board[data-board]").forEach(fill);
})();
