"""How fast zetaroute is, every figure beside a reference; its page is docs/measurements/performance.md."""
