"""What stage 2 trains on: safe replies, replies of the backbone, and the file of both."""
