"""A week with zetaroute, day by day through its commands, on recorded answers of real models."""
