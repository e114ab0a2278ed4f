"""What the reports of several commands share: HTML pages, and the axes of charts."""
