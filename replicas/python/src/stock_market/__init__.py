"""The share market in plain Python: no WebAssembly in here, and nothing but the standard library."""
