"""Files that AWS's toolkits want at the root of a code archive. They hold no logic: each points into the runtime."""
