// Sends what a shop's server sends, by Segment's library for Node, and tells what became of it.
const [host, path, writeKey, prefix] = process.argv.slice(2)
const { Analytics } = require('@segment/analytics-node')

const analytics = new Analytics({ writeKey, host, path, flushInterval: 50 })
const failed = []
const statuses = []
analytics.on('error', (error) => failed.push(String(error.reason || error.code)))
analytics.on('http_response', (response) => statuses.push(response.status))
analytics.identify({ userId: `${prefix}-user`, traits: { email: 'ada@example.com' } })
analytics.track({
  userId: `${prefix}-user`,
  event: 'Order Completed',
  messageId: `${prefix}-order`,
  properties: {
    order_id: `${prefix}-1`,
    revenue: 25.5,
    currency: 'EUR',
    products: [{ product_id: 'p-1', price: 25.5, quantity: 1 }],
  },
  context: { traits: { email: 'ada@example.com' } },
})
analytics.screen({ userId: `${prefix}-user`, name: 'Home', messageId: `${prefix}-screen` })
analytics.closeAndFlush({ timeout: 30000 }).then(() => {
  console.log(JSON.stringify({ failed, statuses }))
})
