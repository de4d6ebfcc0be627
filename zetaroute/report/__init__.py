"""What people look at: figures in words, terminal tables, Markdown. It draws; it never computes a figure."""
