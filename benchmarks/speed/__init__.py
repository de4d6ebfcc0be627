"""How fast zetaroute is, every figure beside a reference; what it finds is kept in docs/performance.md."""
