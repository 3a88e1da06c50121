"""Long work belongs to the server: jobs that outlive the page, the server and the workers.

The server alone owns the `JobStore` (one SQLite file). `Worker` processes own the models. Orders
and reports between them go over a `Wire`, a key-value store and queue of huey's: in memory, in the
same SQLite file, or in Redis for workers on other machines. The `Dispatcher` hands queued jobs out
one at a time, takes reports in, and notices when a worker is gone.
"""
