"""What every subsystem stands on: alerts, audit logs, the handlers' layer."""

from components.foundation.foundation import Foundation

__all__ = ["Foundation"]
