"""Design effects: by how much rows that depend on each other inflate the variance of counts."""
