"""What people read: the page, its figures and the exports."""
