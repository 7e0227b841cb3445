"""What a user could run instead, each as a process that is asked in turns with ours."""
