"""A real language model beside the practice models: `make real`."""
