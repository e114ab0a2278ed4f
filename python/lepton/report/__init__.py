"""What the reports of several commands share: pages of HTML, and the axes of charts."""
